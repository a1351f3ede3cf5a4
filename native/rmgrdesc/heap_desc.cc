// Descriptions of the resource managers Heap and Heap2. Source: src/backend/access/rmgrdesc/heapdesc.c,
// PostgreSQL 18.
#include "layout/heap_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {
namespace {

void print_infobits(Description& d, const char* label, uint8_t infobits) {
  d.print("%s: [", label);
  if ((infobits & XLHL_XMAX_IS_MULTI) != 0) d.append("IS_MULTI, ");
  if ((infobits & XLHL_XMAX_LOCK_ONLY) != 0) d.append("LOCK_ONLY, ");
  if ((infobits & XLHL_XMAX_EXCL_LOCK) != 0) d.append("EXCL_LOCK, ");
  if ((infobits & XLHL_XMAX_KEYSHR_LOCK) != 0) d.append("KEYSHR_LOCK, ");
  if ((infobits & XLHL_KEYS_UPDATED) != 0) d.append("KEYS_UPDATED, ");
  d.drop_comma();
  d.append("]");
}

bool describe_update(Description& d) {
  xl_heap_update update;
  if (!d.main(&update, xl_heap_update_size)) return false;
  d.print("old_xmax: %u, old_off: %u, ", value_of(update.old_xmax), update.old_offnum);
  print_infobits(d, "old_infobits", update.old_infobits_set);
  d.print(", flags: 0x%02X, new_xmax: %u, new_off: %u", update.flags, value_of(update.new_xmax),
          update.new_offnum);
  return true;
}

bool describe_truncate(Description& d) {
  RecordBytes bytes = d.main_bytes();
  xl_heap_truncate truncate;
  if (!bytes.take(&truncate)) return false;
  d.append("flags: [");
  if ((truncate.flags & XLH_TRUNCATE_CASCADE) != 0) d.append("CASCADE, ");
  if ((truncate.flags & XLH_TRUNCATE_RESTART_SEQS) != 0) d.append("RESTART_SEQS, ");
  d.drop_comma();
  d.print("], nrelids: %u, relids:", truncate.nrelids);
  return d.array<Oid>(&bytes, truncate.nrelids, [&](Oid relation) { d.print("%u", relation); });
}

bool describe_lock(Description& d) {
  xl_heap_lock lock;
  if (!d.main(&lock)) return false;
  d.print("xmax: %u, off: %u, ", value_of(lock.xmax), lock.offnum);
  print_infobits(d, "infobits", lock.infobits_set);
  d.print(", flags: 0x%02X", lock.flags);
  return true;
}

// Up to 17 the offset alone is logged; such records are not described.
bool describe_inplace(Description& d) {
  RecordBytes bytes = d.main_bytes();
  xl_heap_inplace inplace;
  if (!bytes.take(&inplace)) return false;
  d.print("off: %u", inplace.offnum);
  return d.invalidations(&bytes, inplace.nmsgs, inplace.dbId, inplace.tsId,
                         inplace.relcacheInitFileInval != 0);
}

// The lists of a pruning record's block 0.
struct PruneLists {
  uint32_t nplans = 0;
  RecordBytes plans{nullptr, 0};
  uint32_t nredirected = 0;
  RecordBytes redirected{nullptr, 0};
  uint32_t ndead = 0;
  RecordBytes dead{nullptr, 0};
  uint32_t nunused = 0;
  RecordBytes unused{nullptr, 0};
  RecordBytes frozen{nullptr, 0};
};

bool find_prune_items(RecordBytes* bytes, size_t size, uint32_t* count, RecordBytes* items) {
  xlhp_prune_items header;
  if (!bytes->take(&header)) return false;
  const size_t length = header.ntargets * size;
  const std::byte* data = bytes->take_bytes(length);
  if (data == nullptr) return false;
  *count = header.ntargets;
  *items = RecordBytes(data, length);
  return true;
}

bool find_prune_lists(RecordBytes bytes, uint8_t flags, PruneLists* lists) {
  if ((flags & XLHP_HAS_FREEZE_PLANS) != 0) {
    xlhp_freeze_plans header;
    if (!bytes.take(&header)) return false;
    const size_t length = header.nplans * sizeof(xlhp_freeze_plan);
    const std::byte* data = bytes.take_bytes(length);
    if (data == nullptr) return false;
    lists->nplans = header.nplans;
    lists->plans = RecordBytes(data, length);
  }
  if ((flags & XLHP_HAS_REDIRECTIONS) != 0 &&
      !find_prune_items(&bytes, 2 * sizeof(OffsetNumber), &lists->nredirected, &lists->redirected))
    return false;
  if ((flags & XLHP_HAS_DEAD_ITEMS) != 0 &&
      !find_prune_items(&bytes, sizeof(OffsetNumber), &lists->ndead, &lists->dead))
    return false;
  if ((flags & XLHP_HAS_NOW_UNUSED_ITEMS) != 0 &&
      !find_prune_items(&bytes, sizeof(OffsetNumber), &lists->nunused, &lists->unused))
    return false;
  lists->frozen = bytes;
  return true;
}

bool describe_prune(Description& d) {
  RecordBytes bytes = d.main_bytes();
  xl_heap_prune prune;
  if (!bytes.take(&prune)) return false;
  if ((prune.flags & XLHP_HAS_CONFLICT_HORIZON) != 0) {
    uint32_t horizon;
    if (!bytes.take(&horizon)) return false;
    d.print("snapshotConflictHorizon: %u", horizon);
  }
  d.print(", isCatalogRel: %c", (prune.flags & XLHP_IS_CATALOG_REL) != 0 ? 'T' : 'F');
  if (!d.has_block_data(0)) return true;
  PruneLists lists;
  if (!find_prune_lists(d.block_bytes(0), prune.flags, &lists)) return false;
  d.print(", nplans: %u, nredirected: %u, ndead: %u, nunused: %u", lists.nplans, lists.nredirected,
          lists.ndead, lists.nunused);
  if (lists.nplans > 0) {
    d.append(", plans:");
    bool whole = true;
    const auto print_plan = [&](const xlhp_freeze_plan& plan) {
      d.print("{ xmax: %u, infomask: %u, infomask2: %u, ntuples: %u, offsets:", value_of(plan.xmax),
              plan.t_infomask, plan.t_infomask2, plan.ntuples);
      whole = whole && d.offsets(&lists.frozen, plan.ntuples);
      d.append(" }");
    };
    if (!d.array<xlhp_freeze_plan>(&lists.plans, lists.nplans, print_plan) || !whole) return false;
  }
  if (lists.nredirected > 0) {
    struct Redirection {
      OffsetNumber from;
      OffsetNumber to;
    };
    d.append(", redirected:");
    if (!d.array<Redirection>(&lists.redirected, lists.nredirected,
                              [&](Redirection pair) { d.print("%u->%u", pair.from, pair.to); }))
      return false;
  }
  if (lists.ndead > 0) {
    d.append(", dead:");
    if (!d.offsets(&lists.dead, lists.ndead)) return false;
  }
  if (lists.nunused > 0) {
    d.append(", unused:");
    if (!d.offsets(&lists.unused, lists.nunused)) return false;
  }
  return true;
}

}  // namespace

bool describe_heap(Description& d) {
  switch (d.info() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP_INSERT: {
      xl_heap_insert insert;
      if (!d.main(&insert, xl_heap_insert_size)) return false;
      d.print("off: %u, flags: 0x%02X", insert.offnum, insert.flags);
      return true;
    }
    case XLOG_HEAP_DELETE: {
      xl_heap_delete removal;
      if (!d.main(&removal)) return false;
      d.print("xmax: %u, off: %u, ", value_of(removal.xmax), removal.offnum);
      print_infobits(d, "infobits", removal.infobits_set);
      d.print(", flags: 0x%02X", removal.flags);
      return true;
    }
    case XLOG_HEAP_UPDATE:
    case XLOG_HEAP_HOT_UPDATE:
      return describe_update(d);
    case XLOG_HEAP_TRUNCATE:
      return describe_truncate(d);
    case XLOG_HEAP_CONFIRM: {
      xl_heap_confirm confirm;
      if (!d.main(&confirm)) return false;
      d.print("off: %u", confirm.offnum);
      return true;
    }
    case XLOG_HEAP_LOCK:
      return describe_lock(d);
    case XLOG_HEAP_INPLACE:
      return describe_inplace(d);
    default:
      return true;
  }
}

bool describe_heap2(Description& d) {
  switch (d.info() & XLOG_HEAP_OPMASK) {
    case XLOG_HEAP2_PRUNE_ON_ACCESS:
    case XLOG_HEAP2_PRUNE_VACUUM_SCAN:
    case XLOG_HEAP2_PRUNE_VACUUM_CLEANUP:
      return describe_prune(d);
    case XLOG_HEAP2_VISIBLE: {
      xl_heap_visible visible;
      if (!d.main(&visible, xl_heap_visible_size)) return false;
      d.print("snapshotConflictHorizon: %u, flags: 0x%02X",
              value_of(visible.snapshotConflictHorizon), visible.flags);
      return true;
    }
    case XLOG_HEAP2_MULTI_INSERT: {
      RecordBytes bytes = d.main_bytes();
      xl_heap_multi_insert insert;
      if (!bytes.take(&insert)) return false;
      d.print("ntuples: %d, flags: 0x%02X", insert.ntuples, insert.flags);
      if (!d.has_block_data(0) || (d.info() & XLOG_HEAP_INIT_PAGE) != 0) return true;
      d.append(", offsets:");
      return d.offsets(&bytes, insert.ntuples);
    }
    case XLOG_HEAP2_LOCK_UPDATED:
      return describe_lock(d);
    case XLOG_HEAP2_NEW_CID: {
      xl_heap_new_cid cid;
      if (!d.main(&cid, xl_heap_new_cid_size)) return false;
      const RelFileLocator& relation = cid.target_locator;
      d.print("rel: %u/%u/%u, tid: %u/%u, cmin: %u, cmax: %u, combo: %u", relation.spcOid,
              relation.dbOid, relation.relNumber, value_of(cid.target_tid.block()),
              cid.target_tid.offset(), cid.cmin, cid.cmax, cid.combocid);
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
