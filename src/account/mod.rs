//! What a user is made of: values that are valid by construction, parsed once at the edge.
//! Knows no HTTP, no SQL and no key file; nothing here allocates more than the value itself.

pub mod bucket;
pub mod common_passwords;
pub mod email;
pub mod id;
pub mod password;
pub mod session_id;
pub mod status;
pub mod user_id;
pub mod username;

pub use bucket::{Bucket, BucketError, RoutingKey};
pub use email::{Email, EmailError};
pub use id::IdError;
pub use password::{Password, PasswordError, PasswordPolicy, PasswordPolicyError};
pub use session_id::SessionId;
pub use status::{Status, StatusError};
pub use user_id::UserId;
pub use username::{Username, UsernameError};
