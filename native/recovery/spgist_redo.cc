// Redo of SP-GiST indexes. Source: src/backend/access/spgist/spgxlog.c, spgutils.c, spgdoinsert.c, PostgreSQL 18.
#include <algorithm>
#include <cstring>

#include "layout/spgist_page.h"
#include "layout/spgist_records.h"
#include "recovery/index_page.h"
#include "recovery/page_mask.h"
#include "recovery/redo_functions.h"

namespace pgdata {

namespace {

constexpr uint32_t special_size = sizeof(SpGistPageOpaqueData);
// No page has more items.
constexpr size_t offsets_max = 32768 / 8;

IndexPage spgist_page(const BufferRef& buffer) { return {buffer.page(), special_size}; }

SpGistPageOpaqueData& opaque_of(const IndexPage& page) {
  return page.special<SpGistPageOpaqueData>();
}

uint16_t nulls_flag(uint8_t stores_nulls) { return stores_nulls != 0 ? SPGIST_NULLS : 0; }

// A tuple as it lies in a record, which does not align it.
struct LoggedTuple {
  const std::byte* bytes = nullptr;
  size_t size = 0;
};

bool take_leaf(RedoBytes* bytes, LoggedTuple* tuple) {
  RedoBytes ahead = *bytes;
  SpGistLeafTupleData header;
  if (!ahead.read(&header)) return false;
  tuple->size = spgist_leaf_size(header.bits);
  if (tuple->size < SGDTSIZE) return false;
  tuple->bytes = bytes->take(tuple->size);
  return tuple->bytes != nullptr;
}

bool take_inner(RedoBytes* bytes, LoggedTuple* tuple) {
  RedoBytes ahead = *bytes;
  SpGistInnerTupleData header;
  if (!ahead.read(&header)) return false;
  tuple->size = header.tuple_size;
  if (tuple->size < SGDTSIZE) return false;
  tuple->bytes = bytes->take(tuple->size);
  return tuple->bytes != nullptr;
}

// Puts a tuple at its offset, where there is either nothing or a tuple that keeps the place.
bool add_or_replace(const IndexPage& page, const LoggedTuple& tuple, OffsetNumber offset) {
  if (!page.has_sound_items()) return false;
  if (offset <= page.max_offset()) {
    const std::byte* there = page.item(offset, SGDTSIZE);
    if (there == nullptr || spgist_tupstate(load<uint32_t>(there)) != SPGIST_PLACEHOLDER ||
        opaque_of(page).nPlaceholder == 0)
      return false;
    opaque_of(page).nPlaceholder--;
    if (!page.remove(offset)) return false;
  }
  return page.add(tuple.bytes, tuple.size, offset);
}

bool replace(const IndexPage& page, const LoggedTuple& tuple, OffsetNumber offset) {
  return page.has_sound_items() && page.remove(offset) && page.add(tuple.bytes, tuple.size, offset);
}

// spgUpdateNodeLink: where a node of an inner tuple leads.
bool set_downlink(const IndexPage& page, OffsetNumber offset, uint16_t node, BlockNumber block,
                  OffsetNumber to) {
  uint32_t length;
  std::byte* tuple =
      page.is_sound() ? page.item(offset, sizeof(SpGistInnerTupleData), &length) : nullptr;
  if (tuple == nullptr) return false;
  const auto header = load<SpGistInnerTupleData>(tuple);
  if (node >= spgist_inner_node_count(header.bits)) return false;
  size_t at = sizeof(SpGistInnerTupleData) + spgist_inner_prefix_size(header.bits);
  for (uint16_t i = 0;; i++) {
    if (at + sizeof(IndexTupleHeader) > length) return false;
    if (i == node) break;
    at += index_tuple_size(load<IndexTupleHeader>(tuple + at).t_info);
  }
  store(tuple + at, ItemPointer(block, to));
  return true;
}

// Where a redirect leads.
struct Redirect {
  BlockNumber block = invalid_block_number;
  OffsetNumber offset = invalid_offset_number;
};

// spgFormDeadTuple.
SpGistDeadTupleData dead_tuple(uint32_t state, const spgxlogState& source, Redirect redirect) {
  SpGistDeadTupleData tuple{};
  tuple.bits = state | static_cast<uint32_t>(SGDTSIZE << 2);
  tuple.pointer = ItemPointer();
  if (state == SPGIST_REDIRECT) {
    tuple.pointer = ItemPointer(redirect.block, redirect.offset);
    tuple.xid = source.redirectXid;
  }
  return tuple;
}

// spgPageIndexMultiDelete: removes items and puts dead tuples in their places, the first one of `first_state`.
bool remove_items(const IndexPage& page, const RedoOffsets& offsets, size_t from, size_t count,
                  uint32_t first_state, uint32_t rest_state, const spgxlogState& source,
                  Redirect redirect) {
  if (count == 0) return true;
  if (!page.has_sound_items()) return false;
  OffsetNumber sorted[offsets_max];
  if (count > offsets_max) return false;
  std::copy_n(offsets.begin() + from, count, sorted);
  std::sort(sorted, sorted + count);
  if (!page.remove_many(sorted, count)) return false;
  const OffsetNumber first = offsets[from];
  for (size_t i = 0; i < count; i++) {
    const uint32_t state = sorted[i] == first ? first_state : rest_state;
    const SpGistDeadTupleData tuple = dead_tuple(state, source, redirect);
    if (!page.add(reinterpret_cast<const std::byte*>(&tuple), sizeof(tuple), sorted[i]))
      return false;
    if (state == SPGIST_REDIRECT) opaque_of(page).nRedirection++;
    if (state == SPGIST_PLACEHOLDER) opaque_of(page).nPlaceholder++;
  }
  return true;
}

// Reads a block, or makes it anew with these flags.
Status take_block(RedoContext& redo, int id, bool is_new, uint16_t flags, BufferRef* buffer,
                  RedoAction* action) {
  if (!is_new) return redo.read_block(id, buffer, action);
  RETURN_IF_ERROR(redo.init_block(id, buffer));
  buffer->page().initialize(special_size);
  SpGistPageOpaqueData& opaque = opaque_of(spgist_page(*buffer));
  opaque.flags = flags;
  opaque.spgist_page_id = SPGIST_PAGE_ID;
  *action = RedoAction::needs_redo;
  return Status::ok;
}

Status set_parent(RedoContext& redo, int id, OffsetNumber offset, uint16_t node, BlockNumber block,
                  OffsetNumber to) {
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(id, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  if (!set_downlink(spgist_page(buffer), offset, node, block, to))
    return redo.corrupted("parent has no such node");
  redo.changed(buffer);
  return Status::ok;
}

bool add_leaf_to(const IndexPage& page, const spgxlogAddLeaf& record, const LoggedTuple& leaf) {
  if (record.offnumLeaf == record.offnumHeadLeaf) return replace(page, leaf, record.offnumLeaf);
  if (!add_or_replace(page, leaf, record.offnumLeaf)) return false;
  if (record.offnumHeadLeaf == invalid_offset_number) return true;
  std::byte* head = page.item(record.offnumHeadLeaf, sizeof(SpGistLeafTupleData));
  if (head == nullptr) return false;
  auto header = load<SpGistLeafTupleData>(head);
  header.t_info = static_cast<uint16_t>((header.t_info & ~SPGIST_NEXT_OFFSET_MASK) |
                                        (record.offnumLeaf & SPGIST_NEXT_OFFSET_MASK));
  store(head, header);
  return true;
}

Status add_leaf(RedoContext& redo) {
  spgxlogAddLeaf record{};
  RedoBytes main(redo);
  LoggedTuple leaf;
  if (!main.read(&record) || !take_leaf(&main, &leaf) || !redo.has_block(0))
    return redo.corrupted("insertion without a tuple");
  {
    BufferRef buffer;
    RedoAction action;
    RETURN_IF_ERROR(take_block(redo, 0, record.newPage != 0,
                               SPGIST_LEAF | nulls_flag(record.storesNulls), &buffer, &action));
    if (action == RedoAction::needs_redo) {
      if (!add_leaf_to(spgist_page(buffer), record, leaf))
        return redo.corrupted("failed to add leaf tuple");
      redo.changed(buffer);
    }
  }
  if (record.offnumParent == invalid_offset_number) return Status::ok;
  return set_parent(redo, 1, record.offnumParent, record.nodeI, redo.block(0).number,
                    record.offnumLeaf);
}

Status move_leafs(RedoContext& redo) {
  spgxlogMoveLeafs record{};
  RedoBytes main(redo);
  RedoOffsets removed;
  RedoOffsets added;
  if (!main.read(&record) || !redo.has_block(1) || !removed.read(&main, record.nMoves) ||
      !added.read(&main, record.replaceDead != 0 ? 1u : record.nMoves + 1u))
    return redo.corrupted("move without tuples");
  const BlockNumber destination = redo.block(1).number;
  const OffsetNumber head = added[added.size() - 1];
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(take_block(redo, 1, record.newPage != 0,
                             SPGIST_LEAF | nulls_flag(record.storesNulls), &buffer, &action));
  if (action == RedoAction::needs_redo) {
    for (const OffsetNumber* offset = added.begin(); offset < added.begin() + added.size();
         offset++) {
      LoggedTuple leaf;
      if (!take_leaf(&main, &leaf) || !add_or_replace(spgist_page(buffer), leaf, *offset))
        return redo.corrupted("failed to add moved tuples");
    }
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const uint32_t first = record.stateSrc.isBuild != 0 ? SPGIST_PLACEHOLDER : SPGIST_REDIRECT;
    if (!remove_items(spgist_page(buffer), removed, 0, removed.size(), first, SPGIST_PLACEHOLDER,
                      record.stateSrc, {destination, head}))
      return redo.corrupted("failed to remove moved tuples");
    redo.changed(buffer);
  }
  buffer.release();
  return set_parent(redo, 2, record.offnumParent, record.nodeI, destination, head);
}

Status move_inner(RedoContext& redo, const spgxlogAddNode& record, const LoggedTuple& inner) {
  const BlockNumber destination = redo.block(1).number;
  const auto link = [&](const IndexPage& page) {
    return set_downlink(page, record.offnumParent, record.nodeI, destination, record.offnumNew);
  };
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(take_block(redo, 1, record.newPage != 0, 0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = spgist_page(buffer);
    if (!add_or_replace(page, inner, record.offnumNew) || (record.parentBlk == 1 && !link(page)))
      return redo.corrupted("failed to add inner tuple");
    redo.changed(buffer);
  }
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = spgist_page(buffer);
    const bool is_build = record.stateSrc.isBuild != 0;
    const SpGistDeadTupleData dead = dead_tuple(is_build ? SPGIST_PLACEHOLDER : SPGIST_REDIRECT,
                                                record.stateSrc, {destination, record.offnumNew});
    const LoggedTuple tuple{reinterpret_cast<const std::byte*>(&dead), sizeof(dead)};
    if (!replace(page, tuple, record.offnum)) return redo.corrupted("failed to replace tuple");
    if (is_build)
      opaque_of(page).nPlaceholder++;
    else
      opaque_of(page).nRedirection++;
    if (record.parentBlk == 0 && !link(page)) return redo.corrupted("parent has no such node");
    redo.changed(buffer);
  }
  buffer.release();
  if (record.parentBlk != 2) return Status::ok;
  return set_parent(redo, 2, record.offnumParent, record.nodeI, destination, record.offnumNew);
}

Status add_node(RedoContext& redo) {
  spgxlogAddNode record{};
  RedoBytes main(redo);
  LoggedTuple inner;
  if (!main.read(&record) || !take_inner(&main, &inner))
    return redo.corrupted("node without a tuple");
  if (redo.has_block(1)) return move_inner(redo, record, inner);
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  if (!replace(spgist_page(buffer), inner, record.offnum))
    return redo.corrupted("failed to replace tuple");
  redo.changed(buffer);
  return Status::ok;
}

Status split_tuple(RedoContext& redo) {
  spgxlogSplitTuple record{};
  RedoBytes main(redo);
  LoggedTuple prefix;
  LoggedTuple postfix;
  if (!main.read(&record) || !take_inner(&main, &prefix) || !take_inner(&main, &postfix))
    return redo.corrupted("split without tuples");
  BufferRef buffer;
  RedoAction action;
  const bool is_same_page = record.postfixBlkSame != 0;
  if (!is_same_page) {
    RETURN_IF_ERROR(take_block(redo, 1, record.newPage != 0, 0, &buffer, &action));
    if (action == RedoAction::needs_redo) {
      if (!add_or_replace(spgist_page(buffer), postfix, record.offnumPostfix))
        return redo.corrupted("failed to add postfix tuple");
      redo.changed(buffer);
    }
  }
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = spgist_page(buffer);
  if (!replace(page, prefix, record.offnumPrefix) ||
      (is_same_page && !add_or_replace(page, postfix, record.offnumPostfix)))
    return redo.corrupted("failed to replace tuple");
  redo.changed(buffer);
  return Status::ok;
}

// A PICKSPLIT record taken apart.
struct PickSplit {
  spgxlogPickSplit record{};
  RedoOffsets removed;
  RedoOffsets added;
  const std::byte* selectors = nullptr;  // one a leaf: 0 stays on the source page
  LoggedTuple inner;
  RedoBytes leafs{nullptr, 0};

  bool read(RedoBytes main) {
    if (!main.read(&record) || !removed.read(&main, record.nDelete) ||
        !added.read(&main, record.nInsert))
      return false;
    selectors = main.take(record.nInsert);
    if ((record.nInsert > 0 && selectors == nullptr) || !take_inner(&main, &inner)) return false;
    leafs = main;
    return true;
  }

  // Adds the leafs that go to the source page, or to the other.
  bool add_leafs(const IndexPage& page, bool to_source) const {
    RedoBytes next = leafs;
    for (size_t i = 0; i < added.size(); i++) {
      LoggedTuple leaf;
      if (!take_leaf(&next, &leaf)) return false;
      if ((selectors[i] == std::byte{0}) == to_source && !add_or_replace(page, leaf, added[i]))
        return false;
    }
    return true;
  }
};

Status pick_split_source(RedoContext& redo, const PickSplit& split, Redirect inner) {
  const spgxlogPickSplit& record = split.record;
  // The root is changed as the inner tuple's page alone.
  if (record.isRootSplit != 0) return Status::ok;
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(take_block(redo, 0, record.initSrc != 0,
                             SPGIST_LEAF | nulls_flag(record.storesNulls), &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = spgist_page(buffer);
  const bool is_build = record.stateSrc.isBuild != 0;
  const bool removed =
      record.initSrc != 0 || remove_items(page, split.removed, 0, split.removed.size(),
                                          is_build ? SPGIST_PLACEHOLDER : SPGIST_REDIRECT,
                                          SPGIST_PLACEHOLDER, record.stateSrc, inner);
  if (!removed || !split.add_leafs(page, true))
    return redo.corrupted("failed to change the page that is split");
  redo.changed(buffer);
  return Status::ok;
}

Status pick_split(RedoContext& redo) {
  PickSplit split;
  const spgxlogPickSplit& record = split.record;
  if (!split.read(RedoBytes(redo)) || !redo.has_block(2))
    return redo.corrupted("split without tuples");
  const Redirect inner{redo.block(2).number, record.offnumInner};
  RETURN_IF_ERROR(pick_split_source(redo, split, inner));
  BufferRef buffer;
  RedoAction action;
  if (redo.has_block(1)) {
    RETURN_IF_ERROR(take_block(redo, 1, record.initDest != 0,
                               SPGIST_LEAF | nulls_flag(record.storesNulls), &buffer, &action));
    if (action == RedoAction::needs_redo) {
      if (!split.add_leafs(spgist_page(buffer), false))
        return redo.corrupted("failed to add leaf tuples");
      redo.changed(buffer);
    }
  }
  RETURN_IF_ERROR(
      take_block(redo, 2, record.initInner != 0, nulls_flag(record.storesNulls), &buffer, &action));
  if (action == RedoAction::needs_redo) {
    const IndexPage page = spgist_page(buffer);
    if (!add_or_replace(page, split.inner, record.offnumInner) ||
        (record.innerIsParent != 0 &&
         !set_downlink(page, record.offnumParent, record.nodeI, inner.block, record.offnumInner)))
      return redo.corrupted("failed to add inner tuple");
    redo.changed(buffer);
  }
  buffer.release();
  if (!redo.has_block(3)) return Status::ok;
  return set_parent(redo, 3, record.offnumParent, record.nodeI, inner.block, record.offnumInner);
}

// The lists of offsets that follow a VACUUM_LEAF record's header, end to end.
bool vacuum_leaf_page(const IndexPage& page, const spgxlogVacuumLeaf& record,
                      const RedoOffsets& offsets) {
  const size_t vacant = record.nDead;
  const size_t move_from = vacant + record.nPlaceholder;
  const size_t move_to = move_from + record.nMove;
  const size_t chain = move_to + record.nMove;
  const size_t chain_to = chain + record.nChain;
  if (!remove_items(page, offsets, 0, record.nDead, SPGIST_DEAD, SPGIST_DEAD, record.stateSrc,
                    {}) ||
      !remove_items(page, offsets, vacant, record.nPlaceholder, SPGIST_PLACEHOLDER,
                    SPGIST_PLACEHOLDER, record.stateSrc, {}))
    return false;
  for (size_t i = 0; i < record.nMove; i++) {
    const OffsetNumber from = offsets[move_from + i];
    const OffsetNumber to = offsets[move_to + i];
    if (page.item(from, 0) == nullptr || page.item(to, 0) == nullptr) return false;
    std::swap(page.page().line_pointer(from), page.page().line_pointer(to));
  }
  if (!remove_items(page, offsets, move_from, record.nMove, SPGIST_PLACEHOLDER, SPGIST_PLACEHOLDER,
                    record.stateSrc, {}))
    return false;
  for (size_t i = 0; i < record.nChain; i++) {
    std::byte* leaf = page.item(offsets[chain + i], sizeof(SpGistLeafTupleData));
    if (leaf == nullptr) return false;
    auto header = load<SpGistLeafTupleData>(leaf);
    header.t_info = static_cast<uint16_t>((header.t_info & ~SPGIST_NEXT_OFFSET_MASK) |
                                          (offsets[chain_to + i] & SPGIST_NEXT_OFFSET_MASK));
    store(leaf, header);
  }
  return true;
}

Status vacuum_leaf(RedoContext& redo) {
  spgxlogVacuumLeaf record{};
  RedoBytes main(redo);
  RedoOffsets offsets;
  if (!main.read(&record) || !offsets.read(&main, size_t{record.nDead} + record.nPlaceholder +
                                                      2u * record.nMove + 2u * record.nChain))
    return redo.corrupted("vacuum without offsets");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = spgist_page(buffer);
  if (!page.has_sound_items() || !vacuum_leaf_page(page, record, offsets))
    return redo.corrupted("vacuum does not fit the page");
  redo.changed(buffer);
  return Status::ok;
}

Status vacuum_root(RedoContext& redo) {
  spgxlogVacuumRoot record{};
  RedoBytes main(redo);
  RedoOffsets offsets;
  if (!main.read(&record) || !offsets.read(&main, record.nDelete))
    return redo.corrupted("vacuum without offsets");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = spgist_page(buffer);
  if (!page.has_sound_items() || !page.remove_many(offsets.begin(), offsets.size()))
    return redo.corrupted("failed to remove items");
  redo.changed(buffer);
  return Status::ok;
}

bool vacuum_redirects(const IndexPage& page, const spgxlogVacuumRedirect& record,
                      const RedoOffsets& offsets) {
  SpGistPageOpaqueData& opaque = opaque_of(page);
  for (size_t i = 0; i < offsets.size(); i++) {
    std::byte* tuple = page.item(offsets[i], SGDTSIZE);
    if (tuple == nullptr) return false;
    auto dead = load<SpGistDeadTupleData>(tuple);
    if (spgist_tupstate(dead.bits) != SPGIST_REDIRECT) return false;
    dead.bits = (dead.bits & ~uint32_t{3}) | SPGIST_PLACEHOLDER;
    dead.pointer = ItemPointer();
    store(tuple, dead);
  }
  if (opaque.nRedirection < record.nToPlaceholder) return false;
  opaque.nRedirection = static_cast<uint16_t>(opaque.nRedirection - record.nToPlaceholder);
  opaque.nPlaceholder = static_cast<uint16_t>(opaque.nPlaceholder + record.nToPlaceholder);
  if (record.firstPlaceholder == invalid_offset_number) return true;
  // Those at the end of the page go, all at once: one by one the other tuples would come to lie elsewhere.
  const OffsetNumber last = page.max_offset();
  if (record.firstPlaceholder > last + 1) return false;
  const size_t count = last + 1u - record.firstPlaceholder;
  OffsetNumber removed[offsets_max];
  if (count > offsets_max || opaque.nPlaceholder < count) return false;
  for (size_t i = 0; i < count; i++)
    removed[i] = static_cast<OffsetNumber>(record.firstPlaceholder + i);
  opaque.nPlaceholder = static_cast<uint16_t>(opaque.nPlaceholder - count);
  return page.remove_many(removed, count);
}

Status vacuum_redirect(RedoContext& redo) {
  spgxlogVacuumRedirect record{};
  RedoBytes main(redo);
  RedoOffsets offsets;
  if (!main.read(&record, spgxlogVacuumRedirect_size) ||
      !offsets.read(&main, record.nToPlaceholder))
    return redo.corrupted("vacuum without offsets");
  BufferRef buffer;
  RedoAction action;
  RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
  if (action != RedoAction::needs_redo) return Status::ok;
  const IndexPage page = spgist_page(buffer);
  if (!page.has_sound_items() || !vacuum_redirects(page, record, offsets))
    return redo.corrupted("vacuum does not fit the page");
  redo.changed(buffer);
  return Status::ok;
}

}  // namespace

Status spgist_redo(RedoContext& redo) {
  switch (redo.info()) {
    case XLOG_SPGIST_ADD_LEAF:
      return add_leaf(redo);
    case XLOG_SPGIST_MOVE_LEAFS:
      return move_leafs(redo);
    case XLOG_SPGIST_ADD_NODE:
      return add_node(redo);
    case XLOG_SPGIST_SPLIT_TUPLE:
      return split_tuple(redo);
    case XLOG_SPGIST_PICKSPLIT:
      return pick_split(redo);
    case XLOG_SPGIST_VACUUM_LEAF:
      return vacuum_leaf(redo);
    case XLOG_SPGIST_VACUUM_ROOT:
      return vacuum_root(redo);
    case XLOG_SPGIST_VACUUM_REDIRECT:
      return vacuum_redirect(redo);
    default:
      return redo.corrupted("unknown record type");
  }
}

void spgist_mask(Page page, BlockNumber) {
  mask_page_lsn_and_checksum(page);
  mask_page_hint_bits(page);
  if (IndexPage(page, special_size).is_sound()) mask_unused_space(page);
}

}  // namespace pgdata
