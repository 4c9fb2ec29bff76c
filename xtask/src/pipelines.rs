//! Tests of the pipelines.
