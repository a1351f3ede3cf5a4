// INVARIANT: what happens when one fails.
#include "base/invariant.h"

#include <cstdio>
#include <cstdlib>

namespace pgdata {

InvariantFailure::InvariantFailure(const char* condition, const char* file, int line) {
  std::snprintf(text_, sizeof(text_), "failed invariant \"%s\" at %s:%d", condition, file, line);
}

void invariant_failed(const char* condition, const char* file, int line) {
#ifdef PGDATA_ABORT_ON_INVARIANT
  std::fprintf(stderr, "failed invariant \"%s\" at %s:%d\n", condition, file, line);
  std::abort();
#else
  throw InvariantFailure(condition, file, line);
#endif
}

}  // namespace pgdata
