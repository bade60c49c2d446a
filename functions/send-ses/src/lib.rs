//! send-ses
