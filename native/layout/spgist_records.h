// WAL records of the SP-GiST index resource manager: info codes and the fixed part of each record.
//
//   record           main data                                    block 0        1             2
//   ADD_LEAF         spgxlogAddLeaf, leaf tuple                   leaf           parent        -
//   MOVE_LEAFS       spgxlogMoveLeafs, offsets, leaf tuples       from           to            parent
//   ADD_NODE         spgxlogAddNode, inner tuple                  inner          new place     parent
//   SPLIT_TUPLE      spgxlogSplitTuple, prefix, postfix tuple     prefix         postfix       -
//   PICKSPLIT        spgxlogPickSplit, offsets, selectors, inner  from           to            2 inner, 3 parent
//                    tuple, leaf tuples
//   VACUUM_LEAF      spgxlogVacuumLeaf, offsets                   leaf           -             -
//   VACUUM_ROOT      spgxlogVacuumRoot, offsets                   root leaf      -             -
//   VACUUM_REDIRECT  spgxlogVacuumRedirect, offsets               page           -             -
//
// Tuples and what follows a list of bytes are unaligned. Little-endian.
// Source: src/include/access/spgxlog.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

inline constexpr uint8_t XLOG_SPGIST_ADD_LEAF = 0x10;
inline constexpr uint8_t XLOG_SPGIST_MOVE_LEAFS = 0x20;
inline constexpr uint8_t XLOG_SPGIST_ADD_NODE = 0x30;
inline constexpr uint8_t XLOG_SPGIST_SPLIT_TUPLE = 0x40;
inline constexpr uint8_t XLOG_SPGIST_PICKSPLIT = 0x50;
inline constexpr uint8_t XLOG_SPGIST_VACUUM_LEAF = 0x60;
inline constexpr uint8_t XLOG_SPGIST_VACUUM_ROOT = 0x70;
inline constexpr uint8_t XLOG_SPGIST_VACUUM_REDIRECT = 0x80;

// What replay must know to write the dead tuples that the primary wrote.
struct spgxlogState {
  TransactionId redirectXid;
  uint8_t isBuild;
  uint8_t padding[3];
};
static_assert(sizeof(spgxlogState) == 8);
static_assert(offsetof(spgxlogState, isBuild) == 4);

//   offset  size  field           meaning
//        0     1  newPage         block 0 is made anew
//        1     1  storesNulls     it is in the tree of nulls
//        2     2  offnumLeaf      where the tuple goes
//        4     2  offnumHeadLeaf  head of its chain, or 0
//        6     2  offnumParent    inner tuple whose downlink is set, or 0
//        8     2  nodeI           which of its nodes
struct spgxlogAddLeaf {
  uint8_t newPage;
  uint8_t storesNulls;
  OffsetNumber offnumLeaf;
  OffsetNumber offnumHeadLeaf;
  OffsetNumber offnumParent;
  uint16_t nodeI;
};
static_assert(sizeof(spgxlogAddLeaf) == 10);
static_assert(offsetof(spgxlogAddLeaf, offnumLeaf) == 2);

// Followed by nMoves offset numbers of the tuples moved, nMoves (+1 unless replaceDead) of where they
// go, and the tuples.
//
//   offset  size  field         meaning
//        0     2  nMoves
//        2     1  newPage       block 1 is made anew
//        3     1  replaceDead   a dead tuple is replaced
//        4     1  storesNulls
//        6     2  offnumParent  inner tuple whose downlink is set
//        8     2  nodeI         which of its nodes
//       12     8  stateSrc
struct spgxlogMoveLeafs {
  uint16_t nMoves;
  uint8_t newPage;
  uint8_t replaceDead;
  uint8_t storesNulls;
  uint8_t padding1;
  OffsetNumber offnumParent;
  uint16_t nodeI;
  uint16_t padding2;
  spgxlogState stateSrc;
};
static_assert(sizeof(spgxlogMoveLeafs) == 20);
static_assert(offsetof(spgxlogMoveLeafs, offnumParent) == 6);
static_assert(offsetof(spgxlogMoveLeafs, stateSrc) == 12);

// Followed by the inner tuple that replaces the old one.
//
//   offset  size  field         meaning
//        0     2  offnum        the tuple
//        2     2  offnumNew     its new place if it moves, or 0
//        4     1  newPage       block 1 is made anew
//        5     1  parentBlk     which block holds the parent; -1: it does not move
//        6     2  offnumParent  inner tuple whose downlink is set
//        8     2  nodeI         which of its nodes
//       12     8  stateSrc
struct spgxlogAddNode {
  OffsetNumber offnum;
  OffsetNumber offnumNew;
  uint8_t newPage;
  int8_t parentBlk;
  OffsetNumber offnumParent;
  uint16_t nodeI;
  uint16_t padding;
  spgxlogState stateSrc;
};
static_assert(sizeof(spgxlogAddNode) == 20);
static_assert(offsetof(spgxlogAddNode, parentBlk) == 5);
static_assert(offsetof(spgxlogAddNode, stateSrc) == 12);

// Followed by the prefix and the postfix tuple.
//
//   offset  size  field           meaning
//        0     2  offnumPrefix    where the prefix tuple goes
//        2     2  offnumPostfix   where the postfix tuple goes
//        4     1  newPage         block 1 is made anew
//        5     1  postfixBlkSame  both are on block 0
struct spgxlogSplitTuple {
  OffsetNumber offnumPrefix;
  OffsetNumber offnumPostfix;
  uint8_t newPage;
  uint8_t postfixBlkSame;
};
static_assert(sizeof(spgxlogSplitTuple) == 6);

// Followed by nDelete offset numbers, nInsert offset numbers, nInsert bytes (0: block 0, 1: block 1),
// the inner tuple, and nInsert leaf tuples.
//
//   offset  size  field          meaning
//        0     1  isRootSplit
//        2     2  nDelete        tuples removed from block 0
//        4     2  nInsert        tuples added to blocks 0 and 1
//        6     1  initSrc        block 0 is made anew
//        7     1  initDest       block 1 is made anew
//        8     2  offnumInner    where the inner tuple goes
//       10     1  initInner      block 2 is made anew
//       11     1  storesNulls
//       12     1  innerIsParent  the parent is on the inner tuple's page
//       14     2  offnumParent   inner tuple whose downlink is set
//       16     2  nodeI          which of its nodes
//       20     8  stateSrc
struct spgxlogPickSplit {
  uint8_t isRootSplit;
  uint8_t padding1;
  uint16_t nDelete;
  uint16_t nInsert;
  uint8_t initSrc;
  uint8_t initDest;
  OffsetNumber offnumInner;
  uint8_t initInner;
  uint8_t storesNulls;
  uint8_t innerIsParent;
  uint8_t padding2;
  OffsetNumber offnumParent;
  uint16_t nodeI;
  uint16_t padding3;
  spgxlogState stateSrc;
};
static_assert(sizeof(spgxlogPickSplit) == 28);
static_assert(offsetof(spgxlogPickSplit, offnumInner) == 8);
static_assert(offsetof(spgxlogPickSplit, innerIsParent) == 12);
static_assert(offsetof(spgxlogPickSplit, offnumParent) == 14);
static_assert(offsetof(spgxlogPickSplit, stateSrc) == 20);

// Followed by offset numbers: nDead that become dead, nPlaceholder that become placeholders, nMove
// moved from, nMove moved to, nChain whose link changes, nChain that they link to.
struct spgxlogVacuumLeaf {
  uint16_t nDead;
  uint16_t nPlaceholder;
  uint16_t nMove;
  uint16_t nChain;
  spgxlogState stateSrc;
};
static_assert(sizeof(spgxlogVacuumLeaf) == 16);
static_assert(offsetof(spgxlogVacuumLeaf, stateSrc) == 8);

// Followed by nDelete offset numbers.
struct spgxlogVacuumRoot {
  uint16_t nDelete;
  uint16_t padding;
  spgxlogState stateSrc;
};
static_assert(sizeof(spgxlogVacuumRoot) == 12);
static_assert(offsetof(spgxlogVacuumRoot, stateSrc) == 4);

// Followed by nToPlaceholder offset numbers of redirects that become placeholders.
//
//   offset  size  field                    meaning
//        0     2  nToPlaceholder
//        2     2  firstPlaceholder         placeholders from here to the end are removed, or 0
//        4     4  snapshotConflictHorizon  newest xid of the redirects
//        8     1  isCatalogRel
//       10     -  offset numbers
struct spgxlogVacuumRedirect {
  uint16_t nToPlaceholder;
  OffsetNumber firstPlaceholder;
  TransactionId snapshotConflictHorizon;
  uint8_t isCatalogRel;
  uint8_t padding[3];
};
static_assert(offsetof(spgxlogVacuumRedirect, isCatalogRel) == 8);
inline constexpr size_t spgxlogVacuumRedirect_size = 10;

}  // namespace pgdata
