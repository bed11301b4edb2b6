//! The OMA object registry as compact tables
