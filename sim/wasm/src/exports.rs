//! The module's C names. A host writes a recipe where `seedstorm_input` says, calls `seedstorm_begin` and then
//! `seedstorm_advance` until it is told something else than [`GOES_ON`], and reads the JSON at `seedstorm_output`.
//!
//! Nothing here follows a pointer: the host reads and writes the module's memory from outside.
#![expect(unsafe_code, reason = "a name that is exported could stand for something else already; these do not")]

use std::cell::RefCell;

use crate::{Session, description};

/// There are steps to come.
const GOES_ON: u32 = 0;
/// The output is the proof.
const DONE: u32 = 1;
/// The output says why not.
const FAILED: u32 = 2;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// The place of `bytes` bytes for a recipe, until the next call.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_input(bytes: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        *input = vec![0; bytes];
        input.as_mut_ptr()
    })
}

/// Begins the world of the recipe in the input.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_begin() -> u32 {
    // A panic ends in a trap, which says nothing by itself: a host that meets one finds the words in the output.
    std::panic::set_hook(Box::new(|panic| output(&panic.to_string())));
    SESSION.set(None);
    match Session::new(&INPUT.take()) {
        Ok(session) => {
            SESSION.set(Some(session));
            GOES_ON
        }
        Err(error) => failed(&error),
    }
}

/// Advances to the next snapshot or checkpoint.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_advance() -> u32 {
    let Some(mut session) = SESSION.take() else { return failed(&"no world was begun") };
    match session.advance() {
        Ok(true) => {
            SESSION.set(Some(session));
            GOES_ON
        }
        Ok(false) => match session.finish() {
            Ok(proof) => {
                output(&json(&proof));
                DONE
            }
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

/// The step reached, of the world that was begun.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_step() -> u32 {
    SESSION.with_borrow(|session| session.as_ref().map_or(0, Session::step))
}

/// The last step of the world that was begun.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_steps() -> u32 {
    SESSION.with_borrow(|session| session.as_ref().map_or(0, Session::steps))
}

/// Writes to the output what this engine can run.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_describe() {
    output(&json(&description()));
}

/// The place of the output, until the next call.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

/// The output's length.
#[unsafe(no_mangle)]
extern "C" fn seedstorm_output_bytes() -> usize {
    OUTPUT.with_borrow(Vec::len)
}

fn output(text: &str) {
    OUTPUT.set(text.as_bytes().to_vec());
}

fn failed(why: &impl ToString) -> u32 {
    output(&why.to_string());
    FAILED
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain numbers and texts")
}
