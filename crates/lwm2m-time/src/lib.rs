//! The clock value and the timer table that every sans-IO engine of the stack is driven by
