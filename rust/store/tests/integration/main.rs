//! The store against real files, real full and read-only file systems, and real kills.

mod crash;
mod ground;
mod numbers;
mod opening;
mod trouble;
mod writing;
