// verify_heap_page: line pointers first, then each tuple, then the chains between them.
#include "heap/verify_heap.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "heap/visibility.h"
#include "layout/heap_tuple.h"
#include "tuple/deform.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

class PageCheck {
 public:
  PageCheck(const Page& page, BlockNumber block, const HeapVerifyBounds& bounds,
            std::vector<HeapComplaint>* complaints)
      : page_(page), block_(block), bounds_(bounds), complaints_(*complaints) {}

  void run() {
    const uint32_t last = page_.max_offset();
    if (last > heap_tuples_per_page_max(page_.size())) {
      complain(invalid_offset_number, -1, "page has %u line pointers, more than the %u that fit",
               last, heap_tuples_per_page_max(page_.size()));
      return;
    }
    usable_.assign(last + 1, false);
    for (OffsetNumber offset = first_offset_number; offset <= last; ++offset) {
      check_line_pointer(offset);
    }
    check_overlaps();
    for (OffsetNumber offset = first_offset_number; offset <= last; ++offset) {
      if (!usable_[offset]) continue;
      if (check_header(offset)) {
        check_transactions(offset);
        check_attributes(offset);
      } else {
        usable_[offset] = false;
      }
    }
    check_chains();
  }

 private:
  void complain(OffsetNumber offset, int attribute, const char* format, ...) PGDATA_PRINTF(4, 5) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    complaints_.push_back({offset, attribute, text});
  }

  const HeapTupleHeader& header(OffsetNumber offset) const {
    return *reinterpret_cast<const HeapTupleHeader*>(page_.item_at(offset));
  }
  uint32_t length(OffsetNumber offset) const { return page_.line_pointer(offset).lp_len(); }

  void check_line_pointer(OffsetNumber offset) {
    const LinePointer item = page_.line_pointer(offset);
    if (!item.is_used() || item.is_dead()) return;
    const uint32_t lp_off = item.lp_off();
    if (item.is_redirected()) {
      const uint32_t last = page_.max_offset();
      if (lp_off < first_offset_number) {
        complain(offset, -1,
                 "line pointer redirection to item at offset %u precedes minimum offset %u", lp_off,
                 unsigned{first_offset_number});
        return;
      }
      if (lp_off > last) {
        complain(offset, -1,
                 "line pointer redirection to item at offset %u exceeds maximum offset %u", lp_off,
                 last);
        return;
      }
      const LinePointer target = page_.line_pointer(static_cast<OffsetNumber>(lp_off));
      if (!target.is_used())
        complain(offset, -1, "redirected line pointer points to an unused item at offset %u",
                 lp_off);
      else if (target.is_dead())
        complain(offset, -1, "redirected line pointer points to a dead item at offset %u", lp_off);
      else if (target.is_redirected())
        complain(offset, -1,
                 "redirected line pointer points to another redirected line pointer at offset %u",
                 lp_off);
      return;
    }
    const uint32_t lp_len = item.lp_len();
    if (lp_off % 8 != 0) {
      complain(offset, -1, "line pointer to page offset %u is not maximally aligned", lp_off);
    } else if (lp_len < max_align(heap_tuple_header_size)) {
      complain(offset, -1, "line pointer length %u is less than the minimum tuple header size %zu",
               lp_len, max_align(heap_tuple_header_size));
    } else if (lp_off + lp_len > page_.header().pd_special) {
      complain(offset, -1,
               "line pointer to page offset %u with length %u ends beyond maximum page offset %u",
               lp_off, lp_len, unsigned{page_.header().pd_special});
    } else if (lp_off < page_.header().pd_upper) {
      complain(offset, -1, "line pointer to page offset %u precedes the tuple area at %u", lp_off,
               unsigned{page_.header().pd_upper});
    } else {
      usable_[offset] = true;
    }
  }

  void check_overlaps() {
    std::vector<OffsetNumber> order;
    for (OffsetNumber offset = first_offset_number; offset < usable_.size(); ++offset) {
      if (usable_[offset]) order.push_back(offset);
    }
    std::sort(order.begin(), order.end(), [this](OffsetNumber a, OffsetNumber b) {
      return page_.line_pointer(a).lp_off() < page_.line_pointer(b).lp_off();
    });
    for (size_t i = 1; i < order.size(); ++i) {
      const LinePointer before = page_.line_pointer(order[i - 1]);
      if (before.lp_off() + before.lp_len() > page_.line_pointer(order[i]).lp_off())
        complain(order[i], -1, "tuple overlaps the tuple at offset %u", unsigned{order[i - 1]});
    }
  }

  bool check_header(OffsetNumber offset) {
    const HeapTupleHeader& tuple = header(offset);
    const uint16_t infomask = tuple.t_infomask;
    const int natts = tuple.t_infomask2 & HEAP_NATTS_MASK;
    bool usable = true;
    if (tuple.t_hoff > length(offset)) {
      complain(offset, -1, "data begins at offset %u beyond the tuple length %u",
               unsigned{tuple.t_hoff}, length(offset));
      usable = false;
    }
    if ((infomask & HEAP_XMAX_COMMITTED) != 0 && (infomask & HEAP_XMAX_IS_MULTI) != 0)
      complain(offset, -1, "multixact should not be marked committed");
    if (!is_valid(tuple.t_xmax) && (tuple.t_infomask2 & HEAP_HOT_UPDATED) != 0)
      complain(offset, -1, "tuple has been HOT updated, but xmax is 0");
    if ((tuple.t_infomask2 & HEAP_ONLY_TUPLE) != 0 && (infomask & HEAP_UPDATED) == 0)
      complain(offset, -1, "tuple is heap only, but not the result of an update");
    const bool has_nulls = (infomask & HEAP_HASNULL) != 0;
    const size_t expected =
        max_align(heap_tuple_header_size + (has_nulls ? null_bitmap_size(natts) : 0u));
    if (tuple.t_hoff != expected) {
      complain(offset, -1,
               "tuple data should begin at byte %zu, but actually begins at byte %u (%d "
               "attribute%s, %s)",
               expected, unsigned{tuple.t_hoff}, natts, natts == 1 ? "" : "s",
               has_nulls ? "has nulls" : "no nulls");
      usable = false;
    }
    if (bounds_.layout != nullptr && natts > bounds_.layout->natts()) {
      complain(offset, -1, "number of attributes %d exceeds maximum %d expected for table", natts,
               bounds_.layout->natts());
      usable = false;
    }
    return usable;
  }

  void check_xid(OffsetNumber offset, const char* name, TransactionId xid) {
    if (!is_normal(xid)) return;
    if (is_valid(bounds_.next_xid) && !precedes(xid, bounds_.next_xid))
      complain(offset, -1, "%s %u equals or exceeds next valid transaction ID %u", name,
               value_of(xid), value_of(bounds_.next_xid));
    else if (is_valid(bounds_.relfrozenxid) && precedes(xid, bounds_.relfrozenxid))
      complain(offset, -1, "%s %u precedes relation freeze threshold %u", name, value_of(xid),
               value_of(bounds_.relfrozenxid));
  }

  void check_transactions(OffsetNumber offset) {
    const HeapTupleHeader& tuple = header(offset);
    // A speculative insertion that was taken back has no xmin.
    if (!xmin_is_frozen(tuple.t_infomask) && is_valid(tuple.t_xmin))
      check_xid(offset, "xmin", tuple.t_xmin);
    if ((tuple.t_infomask & HEAP_XMAX_INVALID) != 0) return;
    if ((tuple.t_infomask & HEAP_XMAX_IS_MULTI) == 0) {
      check_xid(offset, "xmax", tuple.t_xmax);
      return;
    }
    const MultiXactId multi = static_cast<MultiXactId>(value_of(tuple.t_xmax));
    if (multi == 0) {
      complain(offset, -1, "multitransaction ID is invalid");
    } else if (bounds_.next_multi != 0 && static_cast<int32_t>(multi - bounds_.next_multi) >= 0) {
      complain(offset, -1,
               "multitransaction ID %u equals or exceeds next valid multitransaction ID %u", multi,
               bounds_.next_multi);
    } else if (bounds_.relminmxid != 0 && static_cast<int32_t>(multi - bounds_.relminmxid) < 0) {
      complain(offset, -1,
               "multitransaction ID %u precedes relation minimum multitransaction ID threshold %u",
               multi, bounds_.relminmxid);
    }
  }

  void check_attributes(OffsetNumber offset) {
    if (bounds_.layout == nullptr) return;
    const TupleLayout& layout = *bounds_.layout;
    const HeapTupleHeader& tuple = header(offset);
    const std::byte* data = page_.item_at(offset);
    const uint32_t total = length(offset);
    const int natts = tuple.t_infomask2 & HEAP_NATTS_MASK;
    const bool has_nulls = (tuple.t_infomask & HEAP_HASNULL) != 0;
    size_t at = 0;
    for (int i = 0; i < natts; ++i) {
      if (has_nulls && (tuple.t_bits[i >> 3] & (1u << (i & 7))) == 0) continue;
      const CompactAttribute& attribute = layout.attribute(i);
      size_t start = tuple.t_hoff + at;
      if (attribute.attlen != -1 || (start < total && data[start] == std::byte{0}))
        at = align_up(at, attribute.alignment);
      start = tuple.t_hoff + at;
      if (start >= total) {
        complain(offset, i,
                 "attribute with length %d starts at offset %zu beyond total tuple "
                 "length %u",
                 int{attribute.attlen}, start, total);
        return;
      }
      size_t size = 0;
      if (attribute.attlen > 0) {
        size = static_cast<size_t>(attribute.attlen);
      } else if (attribute.attlen == -2) {
        const void* end = std::memchr(data + start, 0, total - start);
        size = end == nullptr
                   ? total - start + 1
                   : static_cast<size_t>(static_cast<const std::byte*>(end) - (data + start)) + 1;
      } else if (!varlena_size_on_page(offset, i, data + start, total - start, &size)) {
        return;
      }
      if (size > total - start) {
        complain(offset, i,
                 "attribute with length %zu ends at offset %zu beyond total tuple length %u", size,
                 start + size, total);
        return;
      }
      if (attribute.attlen == -1) check_varlena(offset, i, data + start);
      at += size;
    }
  }

  // The size a varlena says it has; false, with a complaint, when its header makes no sense.
  bool varlena_size_on_page(OffsetNumber offset, int attribute, const std::byte* value, size_t room,
                            size_t* size) {
    if (varlena_is_external(value)) {
      if (room >= VARHDRSZ_EXTERNAL && static_cast<uint8_t>(value[1]) != VARTAG_ONDISK) {
        complain(offset, attribute, "toasted attribute has unexpected TOAST tag %u",
                 static_cast<unsigned>(value[1]));
        return false;
      }
      *size = TOAST_POINTER_SIZE;
      return true;
    }
    if (varlena_is_short(value)) {
      *size = varlena_size_1b(value);
      return true;
    }
    if (room < VARHDRSZ) {
      *size = VARHDRSZ;
      return true;  // Ends beyond the tuple, which the caller says.
    }
    *size = varlena_size_4b(value);
    const uint32_t least = varlena_is_compressed(value) ? VARHDRSZ_COMPRESSED : VARHDRSZ;
    if (*size < least) {
      complain(offset, attribute, "attribute has length %zu, less than its header of %u bytes",
               *size, least);
      return false;
    }
    return true;
  }

  void check_varlena(OffsetNumber offset, int attribute, const std::byte* value) {
    if (varlena_is_compressed(value)) {
      if (compressed_method(value) > static_cast<uint8_t>(CompressionMethod::lz4))
        complain(offset, attribute, "compressed attribute has invalid compression method id %u",
                 unsigned{compressed_method(value)});
      return;
    }
    if (!varlena_is_external(value)) return;
    const varatt_external pointer = toast_pointer_of(value);
    if (pointer.va_rawsize < static_cast<int32_t>(VARHDRSZ) ||
        static_cast<uint32_t>(pointer.va_rawsize) > varlena_size_max)
      complain(offset, attribute, "toast value %u rawsize %d exceeds limit %u", pointer.va_valueid,
               pointer.va_rawsize, varlena_size_max);
    else if (external_is_compressed(pointer) &&
             external_method(pointer) > static_cast<uint8_t>(CompressionMethod::lz4))
      complain(offset, attribute, "toast value %u has invalid compression method id %u",
               pointer.va_valueid, unsigned{external_method(pointer)});
    if ((header(offset).t_infomask & HEAP_HASEXTERNAL) == 0)
      complain(offset, attribute,
               "toast value %u is external but tuple header flag HEAP_HASEXTERNAL not set",
               pointer.va_valueid);
    else if (!bounds_.has_toast)
      complain(offset, attribute, "toast value %u is external but relation has no toast relation",
               pointer.va_valueid);
  }

  // Where tuple versions lead within the page: redirections and t_ctid.
  void check_chains() {
    std::vector<OffsetNumber> predecessor(usable_.size(), invalid_offset_number);
    for (OffsetNumber offset = first_offset_number; offset < usable_.size(); ++offset) {
      const LinePointer item = page_.line_pointer(offset);
      if (item.is_redirected()) {
        const uint32_t target = item.lp_off();
        if (target == 0 || target >= usable_.size() || !usable_[target]) continue;
        const OffsetNumber next = static_cast<OffsetNumber>(target);
        if ((header(next).t_infomask2 & HEAP_ONLY_TUPLE) == 0)
          complain(offset, -1,
                   "redirected line pointer points to a non-heap-only tuple at offset %u", target);
        else if (predecessor[next] != invalid_offset_number)
          complain(offset, -1,
                   "redirect line pointer points to offset %u, but offset %u also points there",
                   target, unsigned{predecessor[next]});
        else
          predecessor[next] = offset;
        continue;
      }
      if (!usable_[offset]) continue;
      const HeapTupleHeader& tuple = header(offset);
      const OffsetNumber next = tuple.t_ctid.offset();
      if (next == offset || next == 0 || next >= usable_.size() || !usable_[next]) continue;
      if ((tuple.t_infomask & HEAP_XMAX_INVALID) != 0 || xmax_is_locked_only(tuple.t_infomask) ||
          (tuple.t_infomask & HEAP_XMAX_IS_MULTI) != 0)
        continue;
      const HeapTupleHeader& successor = header(next);
      // Only what this tuple's updater wrote on this page is its next version.
      if (successor.t_xmin != tuple.t_xmax || tuple.t_ctid.block() != block_) continue;
      const bool hot = (tuple.t_infomask2 & HEAP_HOT_UPDATED) != 0;
      const bool heap_only = (successor.t_infomask2 & HEAP_ONLY_TUPLE) != 0;
      if (!hot && heap_only)
        complain(offset, -1, "non-heap-only update produced a heap-only tuple at offset %u",
                 unsigned{next});
      else if (hot && !heap_only)
        complain(offset, -1, "heap-only update produced a non-heap only tuple at offset %u",
                 unsigned{next});
      else if (hot && predecessor[next] != invalid_offset_number)
        complain(offset, -1,
                 "tuple points to new version at offset %u, but offset %u also points there",
                 unsigned{next}, unsigned{predecessor[next]});
      else if (hot)
        predecessor[next] = offset;
    }
  }

  Page page_;
  BlockNumber block_;
  const HeapVerifyBounds& bounds_;
  std::vector<HeapComplaint>& complaints_;
  // By offset number: a normal line pointer whose tuple lies in the page.
  std::vector<bool> usable_;
};

}  // namespace

void verify_heap_page(const Page& page, BlockNumber block, const HeapVerifyBounds& bounds,
                      std::vector<HeapComplaint>* complaints) {
  if (page.is_new()) return;
  PageCheck(page, block, bounds, complaints).run();
}

void collect_external_values(const Page& page, const TupleLayout& layout,
                             std::vector<ExternalValue>* values) {
  const size_t natts = static_cast<size_t>(layout.natts());
  std::vector<Datum> datums(natts);
  const std::unique_ptr<bool[]> nulls(new bool[natts]);
  const uint32_t last = page.max_offset();
  for (OffsetNumber offset = first_offset_number; offset <= last; ++offset) {
    const LinePointer item = page.line_pointer(offset);
    if (!item.is_normal() || !heap_item_is_sane(page, item)) continue;
    if ((reinterpret_cast<const HeapTupleHeader*>(page.item(item))->t_infomask &
         HEAP_HASEXTERNAL) == 0)
      continue;
    if (!deform_heap_tuple(layout, page.item(item), item.lp_len(), datums.data(), nulls.get())
             .is_ok())
      continue;
    for (size_t at = 0; at < natts; ++at) {
      if (nulls[at] || layout.attribute(static_cast<int>(at)).attlen != -1) continue;
      const std::byte* value = datum_pointer(datums[at]);
      if (varlena_is_external_on_disk(value))
        values->push_back({offset, static_cast<int>(at), toast_pointer_of(value).va_valueid});
    }
  }
}

}  // namespace pgdata
