// postmaster.pid, written by a process that takes a cluster over from another one.
//
// Source for the lines: src/include/utils/pidfile.h, PostgreSQL 18; src-ts/cluster/lock-file.ts makes the file at first.
#pragma once

#include <string>

#include "base/status.h"
#include "file/file_system.h"

namespace pgdata {

// The file names this process, and the shared memory segment `segment`; lines of it that name neither are kept.
Status take_over_lock_file(FileSystem& files, const std::string& data_directory, int segment);

}  // namespace pgdata
