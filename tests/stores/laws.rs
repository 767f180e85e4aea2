//! Any damage, as it comes to proptest.

use proptest::prelude::*;

#[path = "../laws/store.rs"]
mod store;

proptest! {
    #[test]
    fn a_damaged_directory_opens_and_accounts_for_everything(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        store::bytes(&bytes);
    }
}
