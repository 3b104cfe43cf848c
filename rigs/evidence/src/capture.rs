//! Captures: evidence written as a pcapng file, and capture files read as SIP observations.
