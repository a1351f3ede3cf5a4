// Status: construction of error reports.
#include "base/status.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

namespace {

struct CodeEntry {
  const char* name;
  const char* sqlstate;
};

constexpr CodeEntry code_table[] = {
#define X(name, sqlstate) {#name, sqlstate},
#include "base/error_codes.inc"
#undef X
};

std::string format_message(const char* format, va_list arguments) {
  va_list copy;
  va_copy(copy, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, copy);
  va_end(copy);
  if (length < 0) return format;
  std::string text(static_cast<size_t>(length), '\0');
  std::vsnprintf(text.data(), text.size() + 1, format, arguments);
  return text;
}

ErrorCode code_of_errno(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::disk_full;
    case ENOENT:
      return ErrorCode::undefined_file;
    case EACCES:
    case EPERM:
      return ErrorCode::insufficient_privilege;
    case EEXIST:
      return ErrorCode::duplicate_file;
    case ENOMEM:
      return ErrorCode::out_of_memory;
    default:
      return ErrorCode::io_error;
  }
}

}  // namespace

const char* sqlstate_of(ErrorCode code) { return code_table[static_cast<size_t>(code)].sqlstate; }

Status::Status(ErrorCode code) {
  if (code == ok) return;
  report_ = std::make_unique<ErrorReport>();
  report_->code = code;
  report_->message = code_table[static_cast<size_t>(code)].name;
  for (char& letter : report_->message)
    if (letter == '_') letter = ' ';
}

Status Status::error(ErrorCode code, const char* format, ...) {
  INVARIANT(code != ok);
  Status status;
  status.report_ = std::make_unique<ErrorReport>();
  status.report_->code = code;
  va_list arguments;
  va_start(arguments, format);
  status.report_->message = format_message(format, arguments);
  va_end(arguments);
  return status;
}

Status Status::os_error(int error_number, const char* format, ...) {
  Status status;
  status.report_ = std::make_unique<ErrorReport>();
  status.report_->code = code_of_errno(error_number);
  va_list arguments;
  va_start(arguments, format);
  status.report_->message = format_message(format, arguments);
  va_end(arguments);
  status.report_->message += ": ";
  status.report_->message += std::strerror(error_number);
  return status;
}

Status&& Status::with_detail(std::string detail) && {
  if (report_) report_->detail = std::move(detail);
  return std::move(*this);
}

Status&& Status::with_hint(std::string hint) && {
  if (report_) report_->hint = std::move(hint);
  return std::move(*this);
}

const ErrorReport& Status::report() const {
  INVARIANT(report_ != nullptr);
  return *report_;
}

ErrorReport& Status::report() {
  INVARIANT(report_ != nullptr);
  return *report_;
}

Status Status::copy() const {
  Status status;
  if (report_) status.report_ = std::make_unique<ErrorReport>(*report_);
  return status;
}

}  // namespace pgdata
