// Redo of resource manager CLOG. Source: clog_redo in src/backend/access/transam/clog.c, PostgreSQL 18.
#include "layout/wal_transaction_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_functions.h"
#include "xact/commit_log.h"

namespace pgdata {

Status clog_redo(RedoContext& redo) {
  Slru& pages = redo.transactions().commit_log().pages();
  switch (redo.info()) {
    case CLOG_ZEROPAGE: {
      const int64_t* number = redo.main_data<int64_t>();
      if (number == nullptr || load<int64_t>(number) < 0) return redo.corrupted("invalid page");
      SlruPage page;
      return pages.zero_page(static_cast<uint64_t>(load<int64_t>(number)), &page);
    }
    case CLOG_TRUNCATE: {
      const xl_clog_truncate* body = redo.main_data<xl_clog_truncate>();
      if (body == nullptr) return redo.corrupted("truncation too short");
      const auto truncate = load<xl_clog_truncate>(body);
      if (truncate.pageno < 0 || !is_normal(truncate.oldestXact))
        return redo.corrupted("invalid truncation");
      return pages.truncate_before(static_cast<uint64_t>(truncate.pageno),
                                   redo.transactions().commit_log().page_count());
    }
    default:
      return redo.corrupted("unknown operation");
  }
}

}  // namespace pgdata
