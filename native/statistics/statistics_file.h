// pg_stat/pgstat.stat: statistics between a clean shutdown and the next start.
//
// Format: layout/statistics_file.h. Source: pgstat_read_statsfile, pgstat_write_statsfile in
// src/backend/utils/activity/pgstat.c, PostgreSQL 18.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "file/file_system.h"
#include "statistics/statistics.h"

namespace pgdata {

// data_corrupted for what is not wholly as release 18 writes it; the statistics are then half read.
Status parse_statistics_file(std::string_view bytes, Statistics& statistics);
std::string format_statistics_file(Statistics& statistics);

// After a clean shutdown: takes the file in and removes it. Without one, or with one that is damaged, all begins anew.
Status restore_statistics(FileSystem& files, const std::string& data_directory,
                          Statistics& statistics);
// After a crash.
Status discard_statistics(FileSystem& files, const std::string& data_directory,
                          Statistics& statistics);
Status write_statistics(FileSystem& files, const std::string& data_directory,
                        Statistics& statistics);

}  // namespace pgdata
