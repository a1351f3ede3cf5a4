// Descriptions of the resource manager Gin. Source: src/backend/access/rmgrdesc/gindesc.c, PostgreSQL 18.
#include "layout/gin_records.h"
#include "rmgrdesc/description.h"

namespace pgdata {
namespace {

constexpr char letter(bool value) { return value ? 'T' : 'F'; }

// Returns whether block 0 has an image, after saying so.
bool print_image(Description& d) {
  if (d.record().block_count == 0 || !d.record().blocks[0].has_image) return false;
  d.append(d.record().blocks[0].apply_image ? " (full page image)"
                                            : " (full page image, for WAL verification)");
  return true;
}

bool print_actions(Description& d, RecordBytes* bytes) {
  ginxlogRecompressDataLeaf recompress;
  if (!bytes->take(&recompress)) return false;
  d.print(" %d segments:", recompress.nactions);
  for (uint16_t i = 0; i < recompress.nactions; i++) {
    uint8_t segment;
    uint8_t action;
    if (!bytes->take(&segment) || !bytes->take(&action)) return false;
    switch (action) {
      case GIN_SEGMENT_INSERT:
      case GIN_SEGMENT_REPLACE: {
        GinPostingList list;
        if (!bytes->take(&list) || bytes->take_bytes(align_up(list.nbytes, 2)) == nullptr)
          return false;
        d.print(" %d (%s)", segment, action == GIN_SEGMENT_INSERT ? "insert" : "replace");
        break;
      }
      case GIN_SEGMENT_ADDITEMS: {
        uint16_t count;
        if (!bytes->take(&count) || bytes->take_bytes(count * sizeof(ItemPointer)) == nullptr)
          return false;
        d.print(" %d (add %d items)", segment, count);
        break;
      }
      case GIN_SEGMENT_DELETE:
        d.print(" %d (delete)", segment);
        break;
      default:
        d.print(
            " %d unknown action %d ?"
            "?"
            "?",
            segment, action);
        return true;
    }
  }
  return true;
}

bool describe_insert(Description& d) {
  RecordBytes bytes = d.main_bytes();
  ginxlogInsert insert;
  if (!bytes.take(&insert)) return false;
  const bool is_data = (insert.flags & GIN_INSERT_ISDATA) != 0;
  const bool is_leaf = (insert.flags & GIN_INSERT_ISLEAF) != 0;
  d.print("isdata: %c isleaf: %c", letter(is_data), letter(is_leaf));
  if (!is_leaf) {
    BlockIdData left;
    BlockIdData right;
    if (!bytes.take(&left) || !bytes.take(&right)) return false;
    d.print(" children: %u/%u", value_of(left.block()), value_of(right.block()));
  }
  if (print_image(d)) return true;
  RecordBytes payload = d.block_bytes(0);
  if (!is_data) {
    ginxlogInsertEntry entry;
    if (!payload.take(&entry)) return false;
    d.print(" isdelete: %c", letter(entry.isDelete != 0));
    return true;
  }
  if (is_leaf) return print_actions(d, &payload);
  ginxlogInsertDataInternal item;
  if (!payload.take(&item)) return false;
  d.print(" pitem: %u-%u/%u", value_of(item.newitem.child_blkno.block()),
          value_of(item.newitem.key.block()), item.newitem.key.offset());
  return true;
}

}  // namespace

bool describe_gin(Description& d) {
  switch (d.info()) {
    case XLOG_GIN_INSERT:
      return describe_insert(d);
    case XLOG_GIN_SPLIT: {
      ginxlogSplit split;
      if (!d.main(&split)) return false;
      d.print("isrootsplit: %c isdata: %c isleaf: %c", letter((split.flags & GIN_SPLIT_ROOT) != 0),
              letter((split.flags & GIN_INSERT_ISDATA) != 0),
              letter((split.flags & GIN_INSERT_ISLEAF) != 0));
      return true;
    }
    case XLOG_GIN_VACUUM_DATA_LEAF_PAGE: {
      if (print_image(d)) return true;
      RecordBytes payload = d.block_bytes(0);
      return print_actions(d, &payload);
    }
    case XLOG_GIN_DELETE_LISTPAGE: {
      ginxlogDeleteListPages removal;
      if (!d.main(&removal)) return false;
      d.print("ndeleted: %d", removal.ndeleted);
      return true;
    }
    default:
      return true;
  }
}

}  // namespace pgdata
