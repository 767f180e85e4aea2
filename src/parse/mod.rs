//! Lines to data: the reader.
