//! Answers that come bit by bit: Server-Sent Events and JSON lines.

use http::Response;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};

/// Longest line of a stream, and most data of one event; an event is at most 64 KiB of payload and some frame.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Why a stream ended early.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The connection broke.
    #[error("the stream broke")]
    Broken(#[from] hyper::Error),
    /// A line is longer than a megabyte.
    #[error("a line of the stream is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// A line is not UTF-8.
    #[error("the stream is not UTF-8")]
    NotText,
}

/// One Server-Sent Event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// Where to resume after it.
    pub id: Option<String>,
    /// Its type; `end` closes a finished stream.
    pub event: String,
    /// Its data.
    pub data: String,
}

/// Lines of a streamed answer.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// Where the next line begins in the buffer; what is before it was given out.
    start: usize,
    /// Up to where that line is known not to end.
    seen: usize,
}

impl Lines {
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), buffer: Vec::new(), start: 0, seen: 0 }
    }

    /// The next line without its end, `None` after the last.
    ///
    /// # Errors
    /// When the connection breaks or a line is none.
    pub async fn next(&mut self) -> Result<Option<String>, StreamError> {
        loop {
            if let Some(at) = self.buffer[self.seen..].iter().position(|byte| *byte == b'\n') {
                let end = self.seen + at;
                let line = text(&self.buffer[self.start..end])?;
                (self.start, self.seen) = (end + 1, end + 1);
                return Ok(Some(line));
            }
            // A chunk holds many lines: the buffer moves once a chunk, not once a line.
            self.buffer.drain(..self.start);
            (self.start, self.seen) = (0, self.buffer.len());
            if self.seen > MAX_LINE_BYTES {
                return Err(StreamError::TooLong);
            }
            match self.chunk().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    let last = std::mem::take(&mut self.buffer);
                    self.seen = 0;
                    return text(&last).map(Some);
                }
            }
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(bytes) = frame?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

fn text(line: &[u8]) -> Result<String, StreamError> {
    std::str::from_utf8(line).map(str::to_owned).map_err(|_| StreamError::NotText)
}

/// Server-Sent Events of a streamed answer.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
}

impl Events {
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        Self { lines: Lines::new(response) }
    }

    /// The next event, `None` when the stream is over; keepalive comments are passed over.
    ///
    /// # Errors
    /// When the connection breaks or a line is none.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, StreamError> {
        let mut event = StreamEvent { event: "message".into(), ..StreamEvent::default() };
        let mut data: Option<String> = None;
        while let Some(line) = self.lines.next().await? {
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                if let Some(data) = data.take() {
                    return Ok(Some(StreamEvent { data, ..event }));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => event.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut event.event),
                "data" => match &mut data {
                    Some(data) if data.len() + value.len() > MAX_LINE_BYTES => {
                        return Err(StreamError::TooLong);
                    }
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
        Ok(None)
    }
}
