// At a start: the transactions of pg_twophase run again, so that nobody takes them for transactions that crashed.
#pragma once

#include "base/status.h"
#include "change/change.h"
#include "xact/transaction_system.h"

namespace pgdata {

// Gives each transaction that has a file in pg_twophase a slot of its own in the process array. After
// TransactionSystem::start. Source: RecoverPreparedTransactions in src/backend/access/transam/twophase.c, PostgreSQL 18.
Status enter_prepared_transactions(StorageServices& services, TransactionSystem& transactions);

}  // namespace pgdata
