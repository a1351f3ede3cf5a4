// Descriptions of the resource manager BRIN. Source: src/backend/access/rmgrdesc/brindesc.c, PostgreSQL 18.
#include "layout/brin_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {

bool describe_brin(Description& d) {
  switch (d.info() & XLOG_BRIN_OPMASK) {
    case XLOG_BRIN_CREATE_INDEX: {
      xl_brin_createidx create;
      if (!d.main(&create, xl_brin_createidx_size)) return false;
      d.print("v%d pagesPerRange %u", create.version, create.pagesPerRange);
      return true;
    }
    case XLOG_BRIN_INSERT: {
      xl_brin_insert insert;
      if (!d.main(&insert, xl_brin_insert_size)) return false;
      d.print("heapBlk %u pagesPerRange %u offnum %u", value_of(insert.heapBlk),
              insert.pagesPerRange, insert.offnum);
      return true;
    }
    case XLOG_BRIN_UPDATE: {
      xl_brin_update update;
      if (!d.main(&update, xl_brin_update_size)) return false;
      d.print("heapBlk %u pagesPerRange %u old offnum %u, new offnum %u",
              value_of(update.insert.heapBlk), update.insert.pagesPerRange, update.oldOffnum,
              update.insert.offnum);
      return true;
    }
    case XLOG_BRIN_SAMEPAGE_UPDATE: {
      xl_brin_samepage_update update;
      if (!d.main(&update)) return false;
      d.print("offnum %u", update.offnum);
      return true;
    }
    case XLOG_BRIN_REVMAP_EXTEND: {
      xl_brin_revmap_extend extend;
      if (!d.main(&extend)) return false;
      d.print("targetBlk %u", value_of(extend.targetBlk));
      return true;
    }
    case XLOG_BRIN_DESUMMARIZE: {
      xl_brin_desummarize desummarize;
      if (!d.main(&desummarize, xl_brin_desummarize_size)) return false;
      d.print("pagesPerRange %u, heapBlk %u, page offset %u", desummarize.pagesPerRange,
              value_of(desummarize.heapBlk), desummarize.regOffset);
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
