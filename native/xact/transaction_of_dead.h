// Rolling back the transaction of a backend whose process died between two calls.
//
// Everything that others see of it is in the segment and on disk; what is done here is what its Backend would have done.
#pragma once

#include "base/status.h"
#include "change/change.h"
#include "xact/transaction_system.h"

namespace pgdata {

// Of `slot` of the process array. Its slot, its locks and its predicate locks are left to the caller. An error means that
// the transaction could not be ended.
Status end_transaction_of_dead(StorageServices& services, TransactionSystem& transactions,
                               int slot);

}  // namespace pgdata
