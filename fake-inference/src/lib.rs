//! A stub LSTM inference server, for load tests whose true result must be known.
//!
//! It has the wire format of a time-series forecaster and a small real LSTM, and its service time
//! follows a formula. It counts every request and every answer, so that a load generator's figures can
//! be compared with its own.
//!
//! In reading order:
//!
//! | module | contents |
//! |---|---|
//! | [`args`] | flags, environment variables, exit codes |
//! | [`random`] | the seeded generator of all random numbers |
//! | [`lstm`] | the forward pass of the model, the same on every machine |
//! | [`service_time`] | the service time of the n-th request, and whether it fails |
//! | [`profile`] | service times of measured servers |
//! | [`simulation`] | simulated load tests, closed and open, and the theory of an open one |
//! | [`closed_loop`] | the throughput and response times of a closed loop over this server |
//! | [`disturbance`] | a slow start, stalls, slow replicas |
//! | [`request`] | the body of `POST /predict`, and its errors |
//! | [`problem`] | the JSON body of every answer that is not a success |
//! | [`body`] | reading a body that may be too long or too slow |
//! | [`slots`] | the slots that serve requests, and the queue before them |
//! | [`timer`] | waits that are exact to some microseconds |
//! | [`caller`] | the name of a client, as a label with few values |
//! | [`counts`] | the counts of requests and answers |
//! | [`clock`] | the time of day as text |
//! | [`routes`] | the endpoints |
//! | [`server`] | sockets, connections and the orderly shutdown |

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
