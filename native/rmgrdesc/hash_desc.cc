// Descriptions of the resource manager Hash. Source: src/backend/access/rmgrdesc/hashdesc.c, PostgreSQL 18.
#include "layout/hash_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {
namespace {

constexpr char letter(bool value) { return value ? 'T' : 'F'; }

}  // namespace

bool describe_hash(Description& d) {
  switch (d.info()) {
    case XLOG_HASH_INIT_META_PAGE: {
      xl_hash_init_meta_page init;
      if (!d.main(&init, xl_hash_init_meta_page_size)) return false;
      d.print("num_tuples %g, fillfactor %d", init.num_tuples, init.ffactor);
      return true;
    }
    case XLOG_HASH_INIT_BITMAP_PAGE: {
      xl_hash_init_bitmap_page init;
      if (!d.main(&init)) return false;
      d.print("bmsize %d", init.bmsize);
      return true;
    }
    case XLOG_HASH_INSERT: {
      xl_hash_insert insert;
      if (!d.main(&insert)) return false;
      d.print("off %u", insert.offnum);
      return true;
    }
    case XLOG_HASH_ADD_OVFL_PAGE: {
      xl_hash_add_ovfl_page add;
      if (!d.main(&add, xl_hash_add_ovfl_page_size)) return false;
      d.print("bmsize %d, bmpage_found %c", add.bmsize, letter(add.bmpage_found != 0));
      return true;
    }
    case XLOG_HASH_SPLIT_ALLOCATE_PAGE: {
      xl_hash_split_allocate_page split;
      if (!d.main(&split, xl_hash_split_allocate_page_size)) return false;
      d.print("new_bucket %u, meta_page_masks_updated %c, issplitpoint_changed %c",
              split.new_bucket, letter((split.flags & XLH_SPLIT_META_UPDATE_MASKS) != 0),
              letter((split.flags & XLH_SPLIT_META_UPDATE_SPLITPOINT) != 0));
      return true;
    }
    case XLOG_HASH_SPLIT_COMPLETE: {
      xl_hash_split_complete split;
      if (!d.main(&split)) return false;
      d.print("old_bucket_flag %u, new_bucket_flag %u", split.old_bucket_flag,
              split.new_bucket_flag);
      return true;
    }
    case XLOG_HASH_MOVE_PAGE_CONTENTS: {
      xl_hash_move_page_contents move;
      if (!d.main(&move, xl_hash_move_page_contents_size)) return false;
      d.print("ntups %d, is_primary %c", move.ntups, letter(move.is_prim_bucket_same_wrt != 0));
      return true;
    }
    case XLOG_HASH_SQUEEZE_PAGE: {
      xl_hash_squeeze_page squeeze;
      if (!d.main(&squeeze)) return false;
      d.print("prevblkno %u, nextblkno %u, ntups %d, is_primary %c", value_of(squeeze.prevblkno),
              value_of(squeeze.nextblkno), squeeze.ntups,
              letter(squeeze.is_prim_bucket_same_wrt != 0));
      return true;
    }
    case XLOG_HASH_DELETE: {
      xl_hash_delete removal;
      if (!d.main(&removal)) return false;
      d.print("clear_dead_marking %c, is_primary %c", letter(removal.clear_dead_marking != 0),
              letter(removal.is_primary_bucket_page != 0));
      return true;
    }
    case XLOG_HASH_UPDATE_META_PAGE: {
      xl_hash_update_meta_page update;
      if (!d.main(&update)) return false;
      d.print("ntuples %g", update.ntuples);
      return true;
    }
    case XLOG_HASH_VACUUM_ONE_PAGE: {
      xl_hash_vacuum_one_page vacuum;
      if (!d.main(&vacuum)) return false;
      d.print("ntuples %d, snapshotConflictHorizon %u, isCatalogRel %c", vacuum.ntuples,
              value_of(vacuum.snapshotConflictHorizon), letter(vacuum.isCatalogRel != 0));
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
