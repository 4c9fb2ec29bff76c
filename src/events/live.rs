//! The live view of a run: one screen, made from the events alone. It is text; a program paints it.

mod matrix;
mod screen;
mod spark;
mod state;

pub use state::LiveView;
