//! A stub LSTM inference server, for load tests whose truth must be known.
//!
//! It has the wire format of a time-series forecaster, a small real LSTM, and a service time
//! that is a formula instead of an accident. It counts what it received and what it answered,
//! so that whoever sends the load can compare notes.
//!
//! In reading order:
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | flags, environment variables, exit codes |
//! | [`random`] | the seeded generator that every other number comes from |
//! | [`lstm`] | the forward pass, the same on every machine |
//! | [`service_time`] | how long the n-th request takes, and whether it fails |
//! | [`profile`] | service times that were measured somewhere |
//! | [`closed_loop`] | what a closed loop over this server must give |
//! | [`disturbance`] | a slow start, stalls, a slow replica |
//! | [`request`] | the body of `POST /predict`, and what is wrong with it |
//! | [`problem`] | the JSON body of every answer that is not a success |
//! | [`body`] | reading a body that may be too long or too slow |
//! | [`slots`] | how many requests are served, and how many may wait |
//! | [`caller`] | who is asking, as a label that cannot grow without bound |
//! | [`counts`] | what was received and answered |
//! | [`clock`] | the time of day as text |
//! | [`routes`] | the endpoints |
//! | [`server`] | sockets, connections and the orderly end |

pub mod args;
pub mod body;
pub mod caller;
pub mod clock;
pub mod closed_loop;
pub mod counts;
pub mod disturbance;
pub mod lstm;
pub mod problem;
pub mod profile;
pub mod random;
pub mod request;
pub mod routes;
pub mod server;
pub mod service_time;
pub mod simulation;
pub mod slots;
pub mod timer;
