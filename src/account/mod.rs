//! What a user is made of: values that are valid by construction.
