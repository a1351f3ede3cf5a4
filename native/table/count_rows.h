// count(*) of a table: by its smallest index where nearly all pages are visible to all, else by its pages.
#pragma once

#include <cstdint>

#include "table/table_read.h"

namespace pgdata {

Status count_rows(const ReadView& view, Table& table, uint64_t* rows);

}  // namespace pgdata
