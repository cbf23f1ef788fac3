//! What a command says of itself, and the cursor with which it reads its arguments.
