//! The targets: each holds the bytes it is given to laws of `tests/laws`.

#[path = "../../tests/laws/mod.rs"]
mod laws;

/// Runs the target of this name.
pub fn run(target: &str, bytes: &[u8]) {
    match laws::TARGETS.iter().find(|(name, _)| *name == target) {
        Some((_, run)) => run(bytes),
        None => panic!("no target {target}"),
    }
}
