// Status: the result of an operation that may fail in an expected way.
//
// A caller may rely on this: a Status is one pointer, `ok` costs nothing, and
// it cannot be ignored. An error carries its SQLSTATE, a message in
// PostgreSQL's style (lower case, no full stop) and, where they help, detail,
// hint and the names of the objects concerned. addon/ turns it into PgError.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#if defined(__GNUC__) || defined(__clang__)
#define PGDATA_PRINTF(format_index, first_argument) \
  __attribute__((format(printf, format_index, first_argument)))
#else
#define PGDATA_PRINTF(format_index, first_argument)
#endif

namespace pgdata {

enum class ErrorCode : uint16_t {
#define X(name, sqlstate) name,
#include "base/error_codes.inc"
#undef X
};

// The five characters of a code, for example "XX001".
const char* sqlstate_of(ErrorCode code);

struct ErrorReport {
  ErrorCode code = ErrorCode::internal_error;
  std::string message;
  std::string detail;
  std::string hint;
  std::string schema;
  std::string table;
  std::string column;
  std::string constraint;
};

class [[nodiscard]] Status {
 public:
  static constexpr ErrorCode ok = ErrorCode::successful_completion;
  static constexpr ErrorCode data_corrupted = ErrorCode::data_corrupted;
  static constexpr ErrorCode index_corrupted = ErrorCode::index_corrupted;

  Status() = default;
  // A code without words; its condition name becomes the message.
  Status(ErrorCode code);  // NOLINT: implicit, so that `return Status::ok` reads well.
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;

  static Status error(ErrorCode code, const char* format, ...) PGDATA_PRINTF(2, 3);
  // An operating-system failure: appends strerror(error_number). ENOSPC and
  // EDQUOT become disk_full, ENOENT undefined_file, EACCES and EPERM
  // insufficient_privilege, EEXIST duplicate_file, ENOMEM out_of_memory,
  // anything else io_error.
  static Status os_error(int error_number, const char* format, ...) PGDATA_PRINTF(2, 3);

  Status&& with_detail(std::string detail) &&;
  Status&& with_hint(std::string hint) &&;

  bool is_ok() const { return report_ == nullptr; }
  ErrorCode code() const { return report_ ? report_->code : ok; }
  // Only for an error.
  const ErrorReport& report() const;
  ErrorReport& report();
  Status copy() const;

 private:
  std::unique_ptr<ErrorReport> report_;
};

}  // namespace pgdata

// Returns the error of `expression` from the calling function, if it has one.
#define RETURN_IF_ERROR(expression)                 \
  do {                                              \
    ::pgdata::Status pgdata_status_ = (expression); \
    if (!pgdata_status_.is_ok()) [[unlikely]]       \
      return pgdata_status_;                        \
  } while (false)
