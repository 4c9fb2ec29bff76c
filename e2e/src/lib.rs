//! What the tests against live clusters and containers share.
