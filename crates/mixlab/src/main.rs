//! The program `mixlab`: arguments in, exit code out. Every verb is one file of `verb/`.

#![forbid(unsafe_code)]

mod arguments;
mod failure;
mod input;
mod output;
mod progress;
mod verb;

use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;

/// Fresh buffers of a training step come back warm: large products run half as long again without it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mixlab_kernels::keep_freed_pages();
    match verb::run(Arguments::parse()) {
        Ok(exit) => exit.code(),
        Err(failure) => failure.report(),
    }
}
