//! The targets: each holds the bytes it is given to laws of `tests/laws`.

extern crate alloc;

#[path = "../../tests/laws/mod.rs"]
mod laws;

// What is behind the border of the npm package, compiled for this machine. Its files know one another by these names.
// The last two are for the module's memory.
#[allow(dead_code)]
#[path = "../../wasm/src/border.rs"]
mod border;
#[path = "../../tests/laws/border.rs"]
mod border_laws;
#[path = "../../wasm/src/data.rs"]
mod data;
#[path = "../../wasm/src/driver.rs"]
mod driver;
#[path = "../../wasm/src/encode.rs"]
mod encode;
#[path = "../../wasm/src/fault.rs"]
mod fault;
#[cfg(feature = "store")]
#[path = "../../wasm/src/keeper.rs"]
mod keeper;
#[path = "../../wasm/src/pipe.rs"]
mod pipe;
#[path = "../../wasm/src/strings.rs"]
mod strings;

/// Runs the target of this name.
pub fn run(target: &str, bytes: &[u8]) {
    let border: (&str, laws::Run) = ("border", border_laws::bytes);
    match laws::TARGETS.iter().chain([&border]).find(|(name, _)| *name == target) {
        Some((_, run)) => run(bytes),
        None => panic!("no target {target}"),
    }
}
