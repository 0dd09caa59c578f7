//! The answer to a read: a part of a file as JSON, made and sent piece by piece, so that a large one takes no memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use futures_util::stream;
use http::header;
use osmoda_types::api::agentd::file::{Encoding, FileReadOut};
use osmoda_types::{Code, Problem};
use tokio::sync::mpsc;

use crate::blocking::{Trouble, blocking};

/// A stretch of an open file.
pub(super) struct Stretch {
    pub(super) file: File,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) encoding: Encoding,
}

/// Answers with the stretch as `content`, which `about` leaves empty.
pub(super) async fn answer(stretch: Stretch, about: FileReadOut) -> Result<Response, Problem> {
    let more_follows = about.truncated;
    let mut stretch = blocking(move || stretch.checked(more_follows)).await?;
    let about = serde_json::to_string(&about).map_err(|_| Code::InternalBug)?;
    let end = Bytes::from(about.strip_prefix(START).ok_or(Code::InternalBug)?.to_owned());
    let json = [(header::CONTENT_TYPE, "application/json")];
    if stretch.to - stretch.from <= PIECE as u64 {
        let piece = blocking(move || stretch.next(&mut vec![0; PIECE])).await?.unwrap_or_default();
        return Ok((json, [START.as_bytes(), &piece, &end].concat()).into_response());
    }
    let (pieces, mut sent) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; PIECE];
        let mut next = Ok(Some(Bytes::from_static(START.as_bytes())));
        while let Some(piece) = next.transpose() {
            // An error is half an object and a broken connection: nothing that could be taken for the whole.
            let broken = piece.is_err();
            if pieces.blocking_send(piece).is_err() || broken {
                return;
            }
            next = stretch.next(&mut buffer);
        }
        let _ = pieces.blocking_send(Ok(end));
    });
    Ok((json, Body::from_stream(stream::poll_fn(move |context| sent.poll_recv(context)))).into_response())
}

/// How a [`FileReadOut`] begins.
const START: &str = r#"{"content":""#;
/// Bytes of the file in a piece of the answer; a multiple of three, for base64.
const PIECE: usize = 255 * 1024;

impl Stretch {
    /// This stretch if all of it can be sent. Of text, a character that the end of the part cuts is left to the next.
    fn checked(mut self, more_follows: bool) -> Result<Self, Problem> {
        let (mut buffer, mut at) = (vec![0; PIECE], self.from);
        while self.encoding == Encoding::Text && at < self.to {
            let bytes = self.read(&mut buffer, at).map_err(Trouble::problem)?;
            let (text, cut) = text(bytes);
            let at_the_end = at + bytes.len() as u64 == self.to;
            at += text.len() as u64;
            if text.len() == bytes.len() || (cut && !at_the_end) {
                continue;
            }
            if !(cut && more_follows) {
                return Err(Problem::new(Code::FileKind)
                    .detail(format!("not UTF-8 text at byte {} of this part", at - self.from))
                    .next_step("read it with encoding base64"));
            }
            self.to = at;
        }
        Ok(self)
    }

    /// The next piece, as it stands between the quotes of a JSON string.
    fn next(&mut self, buffer: &mut [u8]) -> io::Result<Option<Bytes>> {
        if self.from == self.to {
            return Ok(None);
        }
        let bytes = self.read(buffer, self.from)?;
        let (used, piece) = match self.encoding {
            Encoding::Base64 => (bytes.len(), BASE64.encode(bytes).into()),
            Encoding::Text => match text(bytes).0 {
                "" => return Err(io::Error::other("the file was changed while it was read")),
                text => (text.len(), escaped(text)),
            },
        };
        self.from += used as u64;
        Ok(Some(piece))
    }

    /// What stands at `at`, as much as there is room for and the stretch has.
    fn read<'b>(&self, buffer: &'b mut [u8], at: u64) -> io::Result<&'b [u8]> {
        let most = buffer.len().min(usize::try_from(self.to - at).unwrap_or(usize::MAX));
        self.file.read_exact_at(&mut buffer[..most], at)?;
        Ok(&buffer[..most])
    }
}

/// The text that these bytes begin with, and whether all that follows is the beginning of one more character.
fn text(bytes: &[u8]) -> (&str, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => {
            let text = std::str::from_utf8(&bytes[..error.valid_up_to()]);
            (text.expect("valid up to there"), error.error_len().is_none())
        }
    }
}

/// Text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> Bytes {
    let mut quoted = Vec::with_capacity(text.len() + text.len() / 8 + 64);
    json_escape_simd::escape_into(text, &mut quoted);
    let end = quoted.len() - 1;
    Bytes::from(quoted).slice(1..end)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use osmoda_types::Timestamp;
    use proptest::prelude::*;

    use super::*;

    async fn content(bytes: &[u8], encoding: Encoding, more_follows: bool) -> Result<String, Problem> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let about = FileReadOut {
            content: String::new(),
            encoding,
            size_bytes: bytes.len() as u64,
            offset: 0,
            truncated: more_follows,
            mode: "0644".into(),
            uid: 0,
            gid: 0,
            modified_at: Timestamp::EPOCH,
        };
        let answer = answer(Stretch { file, from: 0, to: bytes.len() as u64, encoding }, about).await?;
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let out: FileReadOut = serde_json::from_slice(&body).unwrap();
        assert_eq!((out.size_bytes, out.mode.as_str()), (bytes.len() as u64, "0644"));
        Ok(out.content)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_arrives_as_it_is_however_long(text in any::<String>(), times in prop_oneof![Just(1_usize), 1..20_000_usize]) {
            let text = text.repeat(times);
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            prop_assert_eq!(runtime.block_on(content(text.as_bytes(), Encoding::Text, false)).unwrap(), text.as_str());
            let base64 = runtime.block_on(content(text.as_bytes(), Encoding::Base64, false)).unwrap();
            prop_assert_eq!(BASE64.decode(base64.as_bytes()).unwrap(), text.into_bytes());
        }
    }

    #[tokio::test]
    async fn a_character_cut_by_the_end_of_a_part_is_left_to_the_next_and_what_is_no_text_is_refused_at_its_byte()
     {
        let long = "ä".repeat(PIECE);
        let cut = &long.as_bytes()[..2 * PIECE - 1];
        assert_eq!(content(cut, Encoding::Text, true).await.unwrap(), "ä".repeat(PIECE - 1));
        let refused = content(cut, Encoding::Text, false).await.unwrap_err();
        assert!(refused.detail.unwrap().contains(&format!("byte {} ", 2 * PIECE - 2)));
        let mut broken = long.into_bytes();
        broken[PIECE + 8] = 0xff;
        let refused = content(&broken, Encoding::Text, true).await.unwrap_err();
        assert!(refused.detail.unwrap().contains(&format!("byte {} ", PIECE + 8)));
    }

    #[test]
    fn a_file_that_changes_after_it_was_looked_at_ends_the_answer() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[b'a'; 2 * PIECE], 0).unwrap();
        let stretch = Stretch {
            file: file.try_clone().unwrap(),
            from: 0,
            to: 2 * PIECE as u64,
            encoding: Encoding::Text,
        };
        let mut stretch = stretch.checked(false).unwrap();
        assert_eq!(stretch.next(&mut vec![0; PIECE]).unwrap().unwrap().len(), PIECE);
        file.set_len(PIECE as u64 + 1).unwrap();
        assert!(stretch.next(&mut vec![0; PIECE]).is_err());
        file.write_all_at(&[0xff; PIECE], PIECE as u64).unwrap();
        assert!(stretch.next(&mut vec![0; PIECE]).is_err());
    }
}
