# The machine whose tools build the packages; null: packages are notes. `cargo xtask nix check` replaces this file.
null
