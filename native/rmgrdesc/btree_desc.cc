// Descriptions of the resource manager Btree. Source: src/backend/access/rmgrdesc/nbtdesc.c, PostgreSQL 18.
#include "layout/btree_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {
namespace {

// The offset numbers of what a record deletes, and the posting lists that it shortens.
bool print_deletions(Description& d, uint16_t ndeleted, uint16_t nupdated) {
  if (!d.has_block_data(0)) return true;
  RecordBytes bytes = d.block_bytes(0);
  d.append(", deleted:");
  if (!d.offsets(&bytes, ndeleted)) return false;
  d.append(", updated: [");
  const size_t length = nupdated * sizeof(OffsetNumber);
  const std::byte* offsets = bytes.take_bytes(length);
  if (offsets == nullptr) return false;
  RecordBytes updated(offsets, length);
  for (uint16_t i = 0; i < nupdated; i++) {
    OffsetNumber offset;
    xl_btree_update update;
    if (!updated.take(&offset) || !bytes.take(&update)) return false;
    d.print("%s{ off: %u, nptids: %u, ptids: [", i > 0 ? ", " : "", offset, update.ndeletedtids);
    for (uint16_t k = 0; k < update.ndeletedtids; k++) {
      uint16_t place;
      if (!bytes.take(&place)) return false;
      d.print("%s%u", k > 0 ? ", " : "", place);
    }
    d.append("] }");
  }
  d.append("]");
  return true;
}

}  // namespace

bool describe_btree(Description& d) {
  switch (d.info()) {
    case XLOG_BTREE_INSERT_LEAF:
    case XLOG_BTREE_INSERT_UPPER:
    case XLOG_BTREE_INSERT_META:
    case XLOG_BTREE_INSERT_POST: {
      xl_btree_insert insert;
      if (!d.main(&insert)) return false;
      d.print("off: %u", insert.offnum);
      return true;
    }
    case XLOG_BTREE_SPLIT_L:
    case XLOG_BTREE_SPLIT_R: {
      xl_btree_split split;
      if (!d.main(&split, xl_btree_split_size)) return false;
      d.print("level: %u, firstrightoff: %d, newitemoff: %d, postingoff: %d", split.level,
              split.firstrightoff, split.newitemoff, split.postingoff);
      return true;
    }
    case XLOG_BTREE_DEDUP: {
      xl_btree_dedup dedup;
      if (!d.main(&dedup)) return false;
      d.print("nintervals: %u", dedup.nintervals);
      return true;
    }
    case XLOG_BTREE_VACUUM: {
      xl_btree_vacuum vacuum;
      if (!d.main(&vacuum)) return false;
      d.print("ndeleted: %u, nupdated: %u", vacuum.ndeleted, vacuum.nupdated);
      return print_deletions(d, vacuum.ndeleted, vacuum.nupdated);
    }
    case XLOG_BTREE_DELETE: {
      xl_btree_delete removal;
      if (!d.main(&removal, xl_btree_delete_size)) return false;
      d.print("snapshotConflictHorizon: %u, ndeleted: %u, nupdated: %u, isCatalogRel: %c",
              value_of(removal.snapshotConflictHorizon), removal.ndeleted, removal.nupdated,
              removal.isCatalogRel != 0 ? 'T' : 'F');
      return print_deletions(d, removal.ndeleted, removal.nupdated);
    }
    case XLOG_BTREE_MARK_PAGE_HALFDEAD: {
      xl_btree_mark_page_halfdead mark;
      if (!d.main(&mark)) return false;
      d.print("topparent: %u, leaf: %u, left: %u, right: %u", value_of(mark.topparent),
              value_of(mark.leafblk), value_of(mark.leftblk), value_of(mark.rightblk));
      return true;
    }
    case XLOG_BTREE_UNLINK_PAGE:
    case XLOG_BTREE_UNLINK_PAGE_META: {
      xl_btree_unlink_page unlink;
      if (!d.main(&unlink, xl_btree_unlink_page_size)) return false;
      d.print(
          "left: %u, right: %u, level: %u, safexid: %u:%u, leafleft: %u, leafright: %u, "
          "leaftopparent: %u",
          value_of(unlink.leftsib), value_of(unlink.rightsib), unlink.level,
          static_cast<uint32_t>(unlink.safexid >> 32), value_of(xid_of(unlink.safexid)),
          value_of(unlink.leafleftsib), value_of(unlink.leafrightsib),
          value_of(unlink.leaftopparent));
      return true;
    }
    case XLOG_BTREE_NEWROOT: {
      xl_btree_newroot root;
      if (!d.main(&root)) return false;
      d.print("level: %u", root.level);
      return true;
    }
    case XLOG_BTREE_REUSE_PAGE: {
      xl_btree_reuse_page reuse;
      if (!d.main(&reuse, xl_btree_reuse_page_size)) return false;
      d.print("rel: %u/%u/%u, snapshotConflictHorizon: %u:%u, isCatalogRel: %c",
              reuse.locator.spcOid, reuse.locator.dbOid, reuse.locator.relNumber,
              static_cast<uint32_t>(reuse.snapshotConflictHorizon >> 32),
              value_of(xid_of(reuse.snapshotConflictHorizon)), reuse.isCatalogRel != 0 ? 'T' : 'F');
      return true;
    }
    case XLOG_BTREE_META_CLEANUP: {
      RecordBytes bytes = d.block_bytes(0);
      xl_btree_metadata metadata;
      if (!bytes.take(&metadata)) return false;
      d.print("last_cleanup_num_delpages: %u", metadata.last_cleanup_num_delpages);
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
