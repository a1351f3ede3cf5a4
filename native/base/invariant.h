// INVARIANT: a condition that only a programmer's error can break.
//
// Always on. A failure throws InvariantFailure, the one C++ exception of this
// library, which is caught only in addon/ and poisons the cluster; builds with
// PGDATA_ABORT_ON_INVARIANT (unit tests) abort instead, so that a sanitizer or
// a debugger stops at the place. Never use it on bytes read from disk.
#pragma once

#include <exception>

namespace pgdata {

class InvariantFailure : public std::exception {
 public:
  InvariantFailure(const char* condition, const char* file, int line);
  const char* what() const noexcept override { return text_; }

 private:
  char text_[256];
};

[[noreturn]] void invariant_failed(const char* condition, const char* file, int line);

}  // namespace pgdata

#define INVARIANT(condition)                                      \
  do {                                                            \
    if (!(condition)) [[unlikely]]                                \
      ::pgdata::invariant_failed(#condition, __FILE__, __LINE__); \
  } while (false)
