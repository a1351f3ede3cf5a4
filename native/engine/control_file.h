// Reading and writing global/pg_control, in the formats of releases 13 to 18.
//
// Written in place, in one write and synced, as PostgreSQL does: its contents fit in
// one disk sector. Only release 18's format is written.
// Source: src/common/controldata_utils.c, src/backend/access/transam/xlog.c
// (ReadControlFile), src/bin/pg_controldata, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "file/file_system.h"
#include "layout/control_file.h"

namespace pgdata {

// Checks and reads the file's bytes. data_corrupted (too short, bad checksum, impossible sizes),
// feature_not_supported (another version).
Status parse_control_file(std::string_view bytes, ControlFile* control);
// The whole file of release 18, PG_CONTROL_FILE_SIZE bytes.
std::string format_control_file(const ControlFile& control);

Status read_control_file(FileSystem& files, const std::string& data_directory,
                         ControlFile* control);
// Stamps `control.time`, writes and syncs; makes the file if there is none.
Status write_control_file(FileSystem& files, const std::string& data_directory,
                          ControlFile& control);

// For a new cluster: defaults, a random nonce, and, when `system_identifier` is 0, a new identifier.
ControlFile new_control_file(uint64_t system_identifier);

// The major release that the file's versions mean, or 0.
int major_of(const ControlFileHead& control);
// The directory inside a tablespace that belongs to this cluster's release: "PG_18_202506291".
std::string tablespace_version_directory(const ControlFileHead& control);
// As pg_controldata prints it: "in production".
const char* db_state_name(DBState state);
// "minimal", "replica", "logical".
const char* wal_level_name(int32_t wal_level);

}  // namespace pgdata
