//! The program `mixlab`: arguments in, exit code out. Every verb is one file of `verb/`.

#![forbid(unsafe_code)]

mod arguments;
mod budget;
mod failure;
mod input;
mod output;
mod progress;
mod vectors;
mod verb;

use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use mimalloc::MiMalloc;
use mixlab_kernels::CountingAllocator;

/// Fresh buffers of a training step come back warm: large products run half as long again without it. It counts for
/// `measure breakeven` only; elsewhere an allocation looks at a flag that nobody sets.
#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator::new(MiMalloc);

fn main() -> ExitCode {
    mixlab_kernels::keep_freed_pages();
    match verb::run(Arguments::parse()) {
        Ok(exit) => exit.code(),
        Err(failure) => failure.report(),
    }
}
