//! Where the linker finds the memory of the board.

use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").unwrap();
    fs::write(Path::new(&out).join("memory.x"), include_str!("memory.x")).unwrap();
    println!("cargo:rustc-link-search={out}");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    // Where the words of what is logged are.
    println!("cargo:rustc-link-arg-bin=logging=-Tdefmt.x");
    println!("cargo:rerun-if-changed=memory.x");
}
