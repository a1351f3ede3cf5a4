// Redo of hash indexes. Source: src/backend/access/hash/hash_xlog.c, hashpage.c, hashutil.c, PostgreSQL 18.
//
// Where a record has a page of a bucket's chain change, it also names the bucket's first page, which is locked for
// cleanup. Nobody scans while we replay, so that page is read for its image alone.
#include <bit>
#include <cstring>

#include "layout/hash_page.h"
#include "layout/hash_records.h"
#include "recovery/index_page.h"
#include "recovery/page_mask.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr uint32_t special_size = sizeof(HashPageOpaqueData);

IndexPage hash_page(const BufferRef& buffer) { return {buffer.page(), special_size}; }

HashPageOpaqueData& opaque_of(const IndexPage& page) { return page.special<HashPageOpaqueData>(); }

// The metapage's contents, or null when the page is no metapage.
HashMetaPageData* meta_of(const IndexPage& page) {
  if (!page.has_contents(sizeof(HashMetaPageData)) ||
      (opaque_of(page).hasho_flag & LH_META_PAGE) == 0)
    return nullptr;
  return reinterpret_cast<HashMetaPageData*>(page.contents());
}

// _hash_pageinit and what all its callers set.
void initialize_page(const Page& page, BlockNumber previous, uint32_t bucket, uint16_t flag) {
  page.initialize(special_size);
  auto& opaque = *reinterpret_cast<HashPageOpaqueData*>(page.special());
  opaque.hasho_prevblkno = previous;
  opaque.hasho_nextblkno = invalid_block_number;
  opaque.hasho_bucket = bucket;
  opaque.hasho_flag = flag;
  opaque.hasho_page_id = HASHO_PAGE_ID;
}

// _hash_initbitmapbuffer. False when the bitmap does not fit.
bool initialize_bitmap(const Page& page, uint16_t bitmap_bytes) {
  if (hash_contents_offset + bitmap_bytes + special_size > page.size()) return false;
  initialize_page(page, invalid_block_number, HASH_INVALID_BUCKET, LH_BITMAP_PAGE);
  std::memset(page.bytes() + hash_contents_offset, 0xFF, bitmap_bytes);
  page.header().pd_lower = static_cast<uint16_t>(hash_contents_offset + bitmap_bytes);
  return true;
}

// _hash_spareindex: the splitpoint phase of a number of buckets.
uint32_t splitpoint_phase(uint32_t buckets) {
  const auto group = static_cast<uint32_t>(std::bit_width(buckets - 1));
  if (group < HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE) return group;
  return HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE +
         ((group - HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE) << HASH_SPLITPOINT_PHASE_BITS) +
         (((buckets - 1) >> (group - (HASH_SPLITPOINT_PHASE_BITS + 1))) &
          HASH_SPLITPOINT_PHASE_MASK);
}

// _hash_get_totalbuckets: the buckets up to the end of a phase.
uint32_t buckets_of_phase(uint32_t phase) {
  if (phase < HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE) return 1u << phase;
  const uint32_t beyond = phase - HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE;
  const uint32_t before =
      1u << (HASH_SPLITPOINT_GROUPS_WITH_ONE_PHASE + (beyond >> HASH_SPLITPOINT_PHASE_BITS) - 1);
  return before +
         (before >> HASH_SPLITPOINT_PHASE_BITS) * ((beyond & HASH_SPLITPOINT_PHASE_MASK) + 1);
}

// _hash_init_metabuffer. False when no index can have been made so.
bool initialize_meta(const Page& page, const xl_hash_init_meta_page& record) {
  if (record.ffactor == 0 || !(record.num_tuples >= 0)) return false;
  if (hash_contents_offset + sizeof(HashMetaPageData) + special_size > page.size()) return false;
  const double wanted = record.num_tuples / record.ffactor;
  uint32_t buckets = 2;
  if (wanted >= 0x40000000)
    buckets = 0x40000000;
  else if (wanted > 2)
    buckets = buckets_of_phase(splitpoint_phase(static_cast<uint32_t>(wanted)));
  const uint32_t spare = splitpoint_phase(buckets);
  if (spare >= HASH_MAX_SPLITPOINTS) return false;

  initialize_page(page, invalid_block_number, HASH_INVALID_BUCKET, LH_META_PAGE);
  auto& meta = *reinterpret_cast<HashMetaPageData*>(page.bytes() + hash_contents_offset);
  meta.hashm_magic = HASH_MAGIC;
  meta.hashm_version = HASH_VERSION;
  meta.hashm_ffactor = record.ffactor;
  meta.hashm_bsize = static_cast<uint16_t>(page.size() - hash_contents_offset - special_size);
  const int shift = std::bit_width(uint32_t{meta.hashm_bsize}) - 1;
  meta.hashm_bmsize = static_cast<uint16_t>(1u << shift);
  meta.hashm_bmshift = static_cast<uint16_t>(shift + 3);
  meta.hashm_procid = record.procid;
  meta.hashm_maxbucket = buckets - 1;
  meta.hashm_highmask = std::bit_ceil(buckets + 1) - 1;
  meta.hashm_lowmask = meta.hashm_highmask >> 1;
  meta.hashm_spares[spare] = 1;
  meta.hashm_ovflpoint = spare;
  page.header().pd_lower = static_cast<uint16_t>(hash_contents_offset + sizeof(HashMetaPageData));
  return true;
}

// Sets or clears a bit of a bitmap page.
bool change_bit(const IndexPage& page, uint32_t bit, bool set) {
  if (!page.is_sound() || (opaque_of(page).hasho_flag & LH_BITMAP_PAGE) == 0) return false;
  const size_t byte = (bit / 32) * sizeof(uint32_t);
  if (!page.has_contents(byte + sizeof(uint32_t))) return false;
  const uint32_t word = load<uint32_t>(page.contents() + byte);
  const uint32_t mask = 1u << (bit % 32);
  store(page.contents() + byte, set ? word | mask : word & ~mask);
  return true;
}

Status init_meta_page(RedoContext& redo) {
  xl_hash_init_meta_page record{};
  if (!RedoBytes(redo).read(&record, xl_hash_init_meta_page_size))
    return redo.corrupted("metapage without contents");
  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  if (!initialize_meta(buffer.page(), record)) return redo.corrupted("metapage makes no sense");
  redo.changed(buffer);
  return Status::ok;
}

Status init_bitmap_page(RedoContext& redo) {
  xl_hash_init_bitmap_page record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("bitmap without a size");
  BufferRef buffer;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  if (!initialize_bitmap(buffer.page(), record.bmsize))
    return redo.corrupted("bitmap does not fit");
  redo.changed(buffer);
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  HashMetaPageData* meta = meta_of(hash_page(buffer));
  if (meta == nullptr || meta->hashm_nmaps >= HASH_MAX_BITMAPS)
    return redo.corrupted("bitmap is for no metapage");
  meta->hashm_mapp[meta->hashm_nmaps] = meta->hashm_maxbucket + 2;
  meta->hashm_nmaps++;
  redo.changed(buffer);
  return Status::ok;
}

Status insert(RedoContext& redo) {
  xl_hash_insert record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("insertion without a place");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const WalBlock& block = redo.block(0);
    const IndexPage page = hash_page(buffer);
    if (!page.has_sound_items() || !page.add(block.data, block.data_length, record.offnum))
      return redo.corrupted("failed to add item");
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  HashMetaPageData* meta = meta_of(hash_page(buffer));
  if (meta == nullptr) return redo.corrupted("insertion is into no index");
  meta->hashm_ntuples += 1;
  redo.changed(buffer);
  return Status::ok;
}

Status add_overflow_page(RedoContext& redo) {
  xl_hash_add_ovfl_page record{};
  uint32_t bucket;
  if (!RedoBytes(redo).read(&record, xl_hash_add_ovfl_page_size) || !redo.has_block(0) ||
      !redo.has_block(1) || !RedoBytes(redo.block(0)).read(&bucket))
    return redo.corrupted("overflow page without a bucket");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.init_block(0, &buffer));
  initialize_page(buffer.page(), redo.block(1).number, bucket, LH_OVERFLOW_PAGE);
  redo.changed(buffer);

  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = hash_page(buffer);
    if (!page.is_sound()) return redo.corrupted("overflow page follows no page");
    opaque_of(page).hasho_nextblkno = redo.block(0).number;
    redo.changed(buffer);
  }
  if (redo.has_block(2)) {
    RETURN_IF_ERROR(redo.read_block(2, &buffer, &action));
    if (action == RedoAction::needs_redo) {
      uint32_t bit;
      if (!RedoBytes(redo.block(2)).read(&bit) || !change_bit(hash_page(buffer), bit, true))
        return redo.corrupted("overflow page has no bit");
      redo.changed(buffer);
    }
  }
  if (redo.has_block(3)) {
    RETURN_IF_ERROR(redo.init_block(3, &buffer));
    if (!initialize_bitmap(buffer.page(), record.bmsize))
      return redo.corrupted("bitmap does not fit");
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(4, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  HashMetaPageData* meta = meta_of(hash_page(buffer));
  uint32_t first_free;
  if (meta == nullptr || !RedoBytes(redo.block(4)).read(&first_free) ||
      meta->hashm_ovflpoint >= HASH_MAX_SPLITPOINTS)
    return redo.corrupted("overflow page is of no index");
  meta->hashm_firstfree = first_free;
  if (record.bmpage_found == 0) {
    meta->hashm_spares[meta->hashm_ovflpoint]++;
    if (redo.has_block(3)) {
      if (meta->hashm_nmaps >= HASH_MAX_BITMAPS) return redo.corrupted("too many bitmaps");
      meta->hashm_mapp[meta->hashm_nmaps] = value_of(redo.block(3).number);
      meta->hashm_nmaps++;
      meta->hashm_spares[meta->hashm_ovflpoint]++;
    }
  }
  redo.changed(buffer);
  return Status::ok;
}

Status split_allocate_page(RedoContext& redo) {
  xl_hash_split_allocate_page record{};
  if (!RedoBytes(redo).read(&record, xl_hash_split_allocate_page_size))
    return redo.corrupted("split without a bucket");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action, true));
  // An image has the page from before its flag was changed.
  if (action == RedoAction::needs_redo || action == RedoAction::restored) {
    const IndexPage page = hash_page(buffer);
    if (!page.is_sound()) return redo.corrupted("split of no bucket");
    opaque_of(page).hasho_flag = record.old_bucket_flag;
    opaque_of(page).hasho_prevblkno = BlockNumber{record.new_bucket};
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.init_block(1, &buffer));
  initialize_page(buffer.page(), BlockNumber{record.new_bucket}, record.new_bucket,
                  record.new_bucket_flag);
  redo.changed(buffer);

  RETURN_IF_ERROR(redo.read_block(2, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  HashMetaPageData* meta = meta_of(hash_page(buffer));
  if (meta == nullptr) return redo.corrupted("split is of no index");
  RedoBytes data(redo.block(2));
  meta->hashm_maxbucket = record.new_bucket;
  if ((record.flags & XLH_SPLIT_META_UPDATE_MASKS) != 0 &&
      (!data.read(&meta->hashm_lowmask) || !data.read(&meta->hashm_highmask)))
    return redo.corrupted("split without masks");
  if ((record.flags & XLH_SPLIT_META_UPDATE_SPLITPOINT) != 0) {
    uint32_t point;
    uint32_t pages;
    if (!data.read(&point) || !data.read(&pages) || point >= HASH_MAX_SPLITPOINTS)
      return redo.corrupted("split without a splitpoint");
    meta->hashm_spares[point] = pages;
    meta->hashm_ovflpoint = point;
  }
  redo.changed(buffer);
  return Status::ok;
}

Status split_page(RedoContext& redo) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::restored) return redo.corrupted("split page without its image");
  return Status::ok;
}

Status split_complete(RedoContext& redo) {
  xl_hash_split_complete record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("split without flags");
  for (int id = 0; id < 2; id++) {
    BufferRef buffer;
    RedoAction action;
    RETURN_IF_ERROR(redo.read_block(id, &buffer, &action));
    // An image has the page from before its flag was changed.
    if (action != RedoAction::needs_redo && action != RedoAction::restored) continue;
    const IndexPage page = hash_page(buffer);
    if (!page.is_sound()) return redo.corrupted("split of no bucket");
    opaque_of(page).hasho_flag = id == 0 ? record.old_bucket_flag : record.new_bucket_flag;
    redo.changed(buffer);
  }
  return Status::ok;
}

// Adds the tuples that a record moves, at the offsets that come first in the block's data.
bool add_moved(const IndexPage& page, RedoBytes data, uint16_t count) {
  RedoOffsets offsets;
  if (!page.has_sound_items() || !offsets.read(&data, count)) return false;
  for (uint16_t i = 0; i < count; i++) {
    size_t size;
    const std::byte* tuple = take_index_tuple(&data, &size, true);
    if (tuple == nullptr || !page.add(tuple, size, offsets[i])) return false;
  }
  return data.left() == 0;
}

// Removes the items whose offset numbers a block's data consists of.
bool remove_listed(const IndexPage& page, RedoBytes data) {
  RedoOffsets offsets;
  const size_t count = data.left() / sizeof(OffsetNumber);
  return page.has_sound_items() && offsets.read(&data, count) &&
         page.remove_many(offsets.begin(), count);
}

// Restores a bucket's first page, if the record has an image of it.
Status read_primary(RedoContext& redo) {
  BufferRef buffer;
  RedoAction action;
  return redo.read_block(0, &buffer, &action, true);
}

Status move_page_contents(RedoContext& redo) {
  xl_hash_move_page_contents record{};
  if (!RedoBytes(redo).read(&record, xl_hash_move_page_contents_size))
    return redo.corrupted("move without a number");
  if (record.is_prim_bucket_same_wrt == 0) RETURN_IF_ERROR(read_primary(redo));
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action, record.is_prim_bucket_same_wrt != 0));
  if (action == RedoAction::needs_redo) {
    if (!add_moved(hash_page(buffer), RedoBytes(redo.block(1)), record.ntups))
      return redo.corrupted("failed to add moved items");
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(2, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  if (!remove_listed(hash_page(buffer), RedoBytes(redo.block(2))))
    return redo.corrupted("failed to remove moved items");
  redo.changed(buffer);
  return Status::ok;
}

// Sets a link of a page in a chain.
Status relink(RedoContext& redo, int id, bool previous, BlockNumber to) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(id, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = hash_page(buffer);
  if (!page.is_sound()) return redo.corrupted("freed page has no neighbour");
  if (previous)
    opaque_of(page).hasho_prevblkno = to;
  else
    opaque_of(page).hasho_nextblkno = to;
  redo.changed(buffer);
  return Status::ok;
}

// The page that a freed one's tuples go to, which may also be the one before it.
Status squeeze_into(RedoContext& redo, const xl_hash_squeeze_page& record) {
  const bool is_primary = record.is_prim_bucket_same_wrt != 0;
  const bool is_previous = record.is_prev_bucket_same_wrt != 0;
  if (!is_primary) {
    RETURN_IF_ERROR(read_primary(redo));
    // Since release 17 a page that does not change is left out.
    if (record.ntups == 0 && !is_previous) return Status::ok;
  }
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action, is_primary));
  if (action != RedoAction::needs_redo || (record.ntups == 0 && !is_previous)) return Status::ok;
  const IndexPage page = hash_page(buffer);
  if (!page.is_sound() ||
      (record.ntups > 0 && !add_moved(page, RedoBytes(redo.block(1)), record.ntups)))
    return redo.corrupted("failed to add squeezed items");
  if (is_previous) opaque_of(page).hasho_nextblkno = record.nextblkno;
  redo.changed(buffer);
  return Status::ok;
}

Status squeeze_page(RedoContext& redo) {
  xl_hash_squeeze_page record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("squeeze without neighbours");
  RETURN_IF_ERROR(squeeze_into(redo, record));
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(2, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    initialize_page(buffer.page(), invalid_block_number, HASH_INVALID_BUCKET, LH_UNUSED_PAGE);
    redo.changed(buffer);
  }
  buffer.release();
  if (record.is_prev_bucket_same_wrt == 0)
    RETURN_IF_ERROR(relink(redo, 3, false, record.nextblkno));
  if (redo.has_block(4)) RETURN_IF_ERROR(relink(redo, 4, true, record.prevblkno));

  RETURN_IF_ERROR(redo.read_block(5, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    uint32_t bit;
    if (!RedoBytes(redo.block(5)).read(&bit) || !change_bit(hash_page(buffer), bit, false))
      return redo.corrupted("freed page has no bit");
    redo.changed(buffer);
  }
  if (!redo.has_block(6)) return Status::ok;
  RETURN_IF_ERROR(redo.read_block(6, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  HashMetaPageData* meta = meta_of(hash_page(buffer));
  if (meta == nullptr || !RedoBytes(redo.block(6)).read(&meta->hashm_firstfree))
    return redo.corrupted("freed page is of no index");
  redo.changed(buffer);
  return Status::ok;
}

Status delete_items(RedoContext& redo) {
  xl_hash_delete record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("deletion without flags");
  const bool is_primary = record.is_primary_bucket_page != 0;
  if (!is_primary) RETURN_IF_ERROR(read_primary(redo));
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action, is_primary));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = hash_page(buffer);
  if (!remove_listed(page, RedoBytes(redo.block(1))))
    return redo.corrupted("failed to remove items");
  if (record.clear_dead_marking != 0)
    opaque_of(page).hasho_flag &= static_cast<uint16_t>(~LH_PAGE_HAS_DEAD_TUPLES);
  redo.changed(buffer);
  return Status::ok;
}

Status split_cleanup(RedoContext& redo) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = hash_page(buffer);
  if (!page.is_sound()) return redo.corrupted("clean-up of no bucket");
  opaque_of(page).hasho_flag &= static_cast<uint16_t>(~LH_BUCKET_NEEDS_SPLIT_CLEANUP);
  redo.changed(buffer);
  return Status::ok;
}

Status update_meta_page(RedoContext& redo) {
  xl_hash_update_meta_page record{};
  if (!RedoBytes(redo).read(&record)) return redo.corrupted("metapage without a number");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  HashMetaPageData* meta = meta_of(hash_page(buffer));
  if (meta == nullptr) return redo.corrupted("update of no metapage");
  meta->hashm_ntuples = record.ntuples;
  redo.changed(buffer);
  return Status::ok;
}

Status vacuum_one_page(RedoContext& redo) {
  xl_hash_vacuum_one_page record{};
  RedoBytes main(redo);
  RedoOffsets offsets;
  if (!main.read(&record) || !offsets.read(&main, record.ntuples))
    return redo.corrupted("deletion without offsets");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action, true));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = hash_page(buffer);
    if (!page.has_sound_items() || !page.remove_many(offsets.begin(), offsets.size()))
      return redo.corrupted("failed to remove items");
    opaque_of(page).hasho_flag &= static_cast<uint16_t>(~LH_PAGE_HAS_DEAD_TUPLES);
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(1, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  HashMetaPageData* meta = meta_of(hash_page(buffer));
  if (meta == nullptr) return redo.corrupted("deletion is of no index");
  meta->hashm_ntuples -= record.ntuples;
  redo.changed(buffer);
  return Status::ok;
}

}  // namespace

Status hash_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_HASH_INIT_META_PAGE:
      return init_meta_page(redo);
    case XLOG_HASH_INIT_BITMAP_PAGE:
      return init_bitmap_page(redo);
    case XLOG_HASH_INSERT:
      return insert(redo);
    case XLOG_HASH_ADD_OVFL_PAGE:
      return add_overflow_page(redo);
    case XLOG_HASH_SPLIT_ALLOCATE_PAGE:
      return split_allocate_page(redo);
    case XLOG_HASH_SPLIT_PAGE:
      return split_page(redo);
    case XLOG_HASH_SPLIT_COMPLETE:
      return split_complete(redo);
    case XLOG_HASH_MOVE_PAGE_CONTENTS:
      return move_page_contents(redo);
    case XLOG_HASH_SQUEEZE_PAGE:
      return squeeze_page(redo);
    case XLOG_HASH_DELETE:
      return delete_items(redo);
    case XLOG_HASH_SPLIT_CLEANUP:
      return split_cleanup(redo);
    case XLOG_HASH_UPDATE_META_PAGE:
      return update_meta_page(redo);
    case XLOG_HASH_VACUUM_ONE_PAGE:
      return vacuum_one_page(redo);
    default:
      return redo.corrupted("unknown record type");
  }
}

void hash_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  mask_unused_space(page);
  const IndexPage masked(page, special_size);
  if (!masked.is_sound()) return;
  HashPageOpaqueData& opaque = opaque_of(masked);
  const uint16_t type = opaque.hasho_flag & LH_PAGE_TYPE;
  if (type == LH_UNUSED_PAGE) {
    mask_page_content(page);
    return;
  }
  // Entries are marked dead without a record.
  if (type == LH_BUCKET_PAGE || type == LH_OVERFLOW_PAGE) mask_lp_flags(page);
  opaque.hasho_flag &= static_cast<uint16_t>(~LH_PAGE_HAS_DEAD_TUPLES);
}

}  // namespace pgdata
