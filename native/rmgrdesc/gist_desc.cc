// Descriptions of the resource manager Gist. Source: src/backend/access/rmgrdesc/gistdesc.c, PostgreSQL 18.
#include "layout/gist_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {

bool describe_gist(Description& d) {
  switch (d.info()) {
    case XLOG_GIST_DELETE: {
      gistxlogDelete removal;
      if (!d.main(&removal)) return false;
      d.print("delete: snapshotConflictHorizon %u, nitems: %u, isCatalogRel %c",
              value_of(removal.snapshotConflictHorizon), removal.ntodelete,
              removal.isCatalogRel != 0 ? 'T' : 'F');
      return true;
    }
    case XLOG_GIST_PAGE_REUSE: {
      gistxlogPageReuse reuse;
      if (!d.main(&reuse, gistxlogPageReuse_size)) return false;
      d.print("rel %u/%u/%u; blk %u; snapshotConflictHorizon %u:%u, isCatalogRel %c",
              reuse.locator.spcOid, reuse.locator.dbOid, reuse.locator.relNumber,
              value_of(reuse.block), static_cast<uint32_t>(reuse.snapshotConflictHorizon >> 32),
              value_of(xid_of(reuse.snapshotConflictHorizon)), reuse.isCatalogRel != 0 ? 'T' : 'F');
      return true;
    }
    case XLOG_GIST_PAGE_SPLIT: {
      gistxlogPageSplit split;
      if (!d.main(&split)) return false;
      d.print("page_split: splits to %d pages", split.npage);
      return true;
    }
    case XLOG_GIST_PAGE_DELETE: {
      gistxlogPageDelete removal;
      if (!d.main(&removal, gistxlogPageDelete_size)) return false;
      d.print("deleteXid %u:%u; downlink %u", static_cast<uint32_t>(removal.deleteXid >> 32),
              value_of(xid_of(removal.deleteXid)), removal.downlinkOffset);
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
