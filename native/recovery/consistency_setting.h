// The setting wal_consistency_checking: of which resource managers the records carry images to compare with.
//
// 'all', or names separated by commas, in any case. Only resource managers that have a mask can be checked.
// Source: src/backend/access/transam/xlog.c (check_wal_consistency_checking), PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace pgdata {

// Bit n of `*managers` is resource manager n. invalid_parameter_value for an unknown word.
Status parse_consistency_checking(const std::string& setting, uint32_t* managers);

}  // namespace pgdata
