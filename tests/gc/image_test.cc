#include "gc/image.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>

#include "gc/image_format.h"
#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

std::string TestPath(const std::string& name) {
  return testing::TempDir() + "weft_" + std::to_string(getpid()) + "_" + name;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// A cell of these tests: a reference and an address inside an object.
struct TestCell {
  Word object;
  uint64_t interior;
};

void RelocateObject(Object* copy, const ImageMap& map, void*) {
  uint64_t* raw = &copy->field(1)->bits;
  if (*raw != 0) *raw = map.Forward(*raw);
}

void RelocateCells(uint8_t* copy, uint64_t bytes, const ImageMap& map, void*) {
  auto* cells = reinterpret_cast<TestCell*>(copy);
  for (uint64_t i = 0; i < bytes / sizeof(TestCell); ++i) {
    cells[i].object = map.ForwardWord(cells[i].object);
    cells[i].interior = map.Forward(cells[i].interior);
  }
}

ImageHooks TestHooks() {
  ImageHooks hooks;
  hooks.relocate_object = RelocateObject;
  hooks.relocate_cells = RelocateCells;
  return hooks;
}

class ImageTest : public testing::Test {
 protected:
  ImageTest() : path_(TestPath("image")) {}
  ~ImageTest() override { unlink(path_.c_str()); }

  // An array of pairs that share an element, bytes, a weak reference to a live and one to a dead
  // object, a hook object with an interior address, and two cells.
  void Build(Heap& heap, size_t n, Root* top) {
    Root shared(heap, NewBytes(heap, 13)), array(heap, NewArray(heap, n)), item(heap);
    std::memcpy(reinterpret_cast<char*>(ObjectAt(shared.get())) + 16, "thirteen byte", 13);
    for (size_t i = 0; i + 4 < n; ++i) {
      item.set(Word::Fixnum(static_cast<int64_t>(i)));
      Word pair = NewPair(heap, item, shared);
      SetField(heap, array.get(), 1 + i, pair);
    }
    item.set(NewArray(heap, 3));
    item.set(NewWeak(heap, item));
    SetField(heap, array.get(), 1 + n - 4, item.get());
    item.set(NewWeak(heap, shared));
    SetField(heap, array.get(), 1 + n - 3, item.get());
    item.set(heap.AllocatePinned(kArrayShape, 16 + 8 * 5));
    *ObjectAt(item.get())->field(0) = Word::Fixnum(5);
    Word hook = heap.Allocate(kHookShape, 32);
    *ObjectAt(hook)->field(0) = array.get();
    ObjectAt(hook)->field(1)->bits = item.get().Address() + 24;
    SetField(heap, array.get(), 1 + n - 2, hook);
    ObjectAt(array.get())->set_hash(heap.NextIdentityHash());
    ASSERT_TRUE(heap.CommitCells(2 * sizeof(TestCell)));
    auto* cells = reinterpret_cast<TestCell*>(kCellBase);
    cells[0] = {item.get(), item.get().Address() + 16};
    cells[1] = {kFalse, 0};
    top->set(array.get());
  }

  void Check(Heap& heap, Word array, size_t n) {
    ASSERT_EQ(Field(array, 0), Word::Fixnum(static_cast<int64_t>(n)));
    EXPECT_EQ(ObjectAt(array)->hash(), 1u);
    Word shared = Field(Field(array, 1), 1);
    EXPECT_EQ(std::memcmp(reinterpret_cast<char*>(ObjectAt(shared)) + 16, "thirteen byte", 13), 0);
    for (size_t i = 0; i + 4 < n; ++i) {
      Word pair = Field(array, 1 + i);
      ASSERT_EQ(Field(pair, 0), Word::Fixnum(static_cast<int64_t>(i)));
      ASSERT_EQ(Field(pair, 1), shared);
    }
    EXPECT_EQ(Field(Field(array, 1 + n - 4), 0), kFalse);
    EXPECT_EQ(Field(Field(array, 1 + n - 3), 0), shared);
    Word hook = Field(array, 1 + n - 2);
    EXPECT_EQ(Field(hook, 0), array);
    uint64_t interior = Field(hook, 1).bits;
    Object* five = heap.FindObject(interior);
    ASSERT_NE(five, nullptr);
    EXPECT_EQ(reinterpret_cast<uint64_t>(five) + 24, interior);
    EXPECT_EQ(*five->field(0), Word::Fixnum(5));
    auto* cells = reinterpret_cast<TestCell*>(kCellBase);
    EXPECT_EQ(cells[0].object, Word::Pointer(five));
    EXPECT_EQ(cells[0].interior, interior - 8);
    EXPECT_TRUE(heap.Verify().ok()) << heap.Verify();
  }

  void Save(size_t n) {
    auto heap = MakeHeap();
    Root top(*heap);
    Build(*heap, n, &top);
    ImageParts parts;
    parts.roots = {top.get(), Word::Fixnum(99)};
    parts.cell_bytes = 2 * sizeof(TestCell);
    for (uint64_t i = 0; i < 8; ++i) parts.user_data[i] = i * i;
    absl::Status status = SaveImage(*heap, path_, "test id", parts, TestHooks());
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
  }

  std::string path_;
};

TEST_F(ImageTest, RoundTrip) {
  for (size_t n : {size_t{5}, size_t{500}, size_t{100000}}) {
    Save(n);
    auto heap = MakeHeap();
    auto parts = LoadImage(*heap, path_, "test id", true);
    ASSERT_TRUE(parts.ok()) << parts.status();
    ASSERT_EQ(parts->roots.size(), 2u);
    EXPECT_EQ(parts->roots[1], Word::Fixnum(99));
    EXPECT_EQ(parts->cell_bytes, 2 * sizeof(TestCell));
    for (uint64_t i = 0; i < 8; ++i) EXPECT_EQ(parts->user_data[i], i * i);
    Check(*heap, parts->roots[0], n);
    EXPECT_EQ(heap->NextIdentityHash(), 2u);
    EXPECT_EQ(heap->used_bytes(), 0u);
    heap->CollectFull();
    Check(*heap, parts->roots[0], n);
  }
}

TEST_F(ImageTest, ALoadedImageSavesToTheSameBytes) {
  Save(2000);
  std::string first = ReadFile(path_);
  auto heap = MakeHeap();
  auto parts = LoadImage(*heap, path_, "test id", true);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_TRUE(SaveImage(*heap, path_ + "2", "test id", *parts, TestHooks()).ok());
  EXPECT_TRUE(ReadFile(path_ + "2") == first);
  unlink((path_ + "2").c_str());
  heap.reset();
  Save(2000);
  EXPECT_TRUE(ReadFile(path_) == first);
}

TEST_F(ImageTest, FirstObjectsLieAtTheFrontInTheirOrder) {
  {
    auto heap = MakeHeap();
    Root top(*heap);
    Build(*heap, 1000, &top);
    ImageParts parts;
    parts.roots = {top.get()};
    parts.cell_bytes = 2 * sizeof(TestCell);
    // Neither what is no object nor one that comes twice takes room.
    parts.first = {Field(top.get(), 500), Word::Fixnum(7), Field(top.get(), 20),
                   Field(top.get(), 500)};
    ASSERT_TRUE(SaveImage(*heap, path_, "test id", parts, TestHooks()).ok());
  }
  auto heap = MakeHeap();
  auto parts = LoadImage(*heap, path_, "test id", true);
  ASSERT_TRUE(parts.ok()) << parts.status();
  const Word array = parts->roots[0];
  Check(*heap, array, 1000);
  const uint64_t front = Field(array, 500).Address();
  EXPECT_EQ(front, kImageBase + kPageBytes);
  EXPECT_EQ(Field(array, 20).Address(), front + heap->SizeOf(ObjectAt(Field(array, 500))));
}

TEST_F(ImageTest, FindObjectKnowsEveryAddressOfTheImage) {
  Save(3000);
  auto heap = MakeHeap();
  auto parts = LoadImage(*heap, path_, "test id", false);
  ASSERT_TRUE(parts.ok()) << parts.status();
  size_t objects = 0;
  std::pair<Heap*, size_t*> data(heap.get(), &objects);
  heap->ForEachObject(
      [](Object* object, void* p) {
        auto* d = static_cast<std::pair<Heap*, size_t*>*>(p);
        ++*d->second;
        uint64_t start = reinterpret_cast<uint64_t>(object);
        for (uint64_t a = start; a < start + d->first->SizeOf(object); ++a) {
          ASSERT_EQ(d->first->FindObject(a), object);
        }
      },
      &data);
  EXPECT_EQ(objects, 3000u - 4 + 6);
}

TEST_F(ImageTest, WrittenCardsOfTheImageAreRootsForEveryCollection) {
  Save(3000);
  auto heap = MakeHeap();
  auto parts = LoadImage(*heap, path_, "test id", false);
  ASSERT_TRUE(parts.ok()) << parts.status();
  Word array = parts->roots[0];
  for (size_t i = 0; i < 2990; i += 7) {
    Word bytes = NewBytes(*heap, i);
    SetField(*heap, array, 1 + i, bytes);
    if (i % 3 == 0) heap->CollectMinor();
    if (i % 500 == 0) heap->CollectFull();
  }
  for (int round = 0; round < 3; ++round) {
    heap->CollectFull();
    ASSERT_TRUE(heap->Verify().ok()) << heap->Verify();
    for (size_t i = 0; i < 2990; i += 7) {
      Word bytes = Field(array, 1 + i);
      ASSERT_EQ(ObjectAt(bytes)->shape(), kBytesShape);
      ASSERT_EQ(Field(bytes, 0), Word::Fixnum(static_cast<int64_t>(i)));
    }
  }
  // A weak reference in the image to an object of the heap.
  Word weak = Field(array, 1 + 3000 - 3);
  Root strong(*heap, NewBytes(*heap, 1));
  SetField(*heap, weak, 0, strong.get());
  heap->CollectFull();
  EXPECT_EQ(Field(weak, 0), strong.get());
  strong.set(kFalse);
  heap->CollectMinor();
  EXPECT_NE(Field(weak, 0), kFalse);
  heap->CollectFull();
  EXPECT_EQ(Field(weak, 0), kFalse);
  SetField(*heap, weak, 0, NewBytes(*heap, 1));
  heap->CollectMinor();
  EXPECT_EQ(Field(weak, 0), kFalse);
}

TEST_F(ImageTest, AnImageGrownFromAnImage) {
  Save(100);
  {
    auto heap = MakeHeap();
    auto parts = LoadImage(*heap, path_, "test id", true);
    ASSERT_TRUE(parts.ok()) << parts.status();
    SetField(*heap, parts->roots[0], 100, NewBytes(*heap, 20000));
    ASSERT_TRUE(SaveImage(*heap, path_, "test id", *parts, TestHooks()).ok());
  }
  auto heap = MakeHeap();
  auto parts = LoadImage(*heap, path_, "test id", true);
  ASSERT_TRUE(parts.ok()) << parts.status();
  Check(*heap, parts->roots[0], 100);
  EXPECT_EQ(Field(Field(parts->roots[0], 100), 0), Word::Fixnum(20000));
}

TEST_F(ImageTest, ForeignMissingAndShortFilesAreRefused) {
  Save(20);
  std::string good = ReadFile(path_);
  auto heap = MakeHeap();
  EXPECT_EQ(LoadImage(*heap, path_ + ".none", "test id", true).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadImage(*heap, testing::TempDir(), "test id", true).status().code(),
            absl::StatusCode::kInvalidArgument);
  auto foreign = LoadImage(*heap, path_, "another id", true);
  EXPECT_EQ(foreign.status().code(), absl::StatusCode::kFailedPrecondition);
  for (size_t n = 0; n < good.size(); n += n < 5000 ? 97 : 8) {
    WriteFile(path_, good.substr(0, n));
    ASSERT_FALSE(LoadImage(*heap, path_, "test id", false).ok()) << n;
  }
  WriteFile(path_, good + std::string(4096, '\0'));
  EXPECT_FALSE(LoadImage(*heap, path_, "test id", false).ok());
  WriteFile(path_, std::string(10000, 'x'));
  EXPECT_FALSE(LoadImage(*heap, path_, "test id", false).ok());
  // After all these refusals the heap still takes the good one, once.
  WriteFile(path_, good);
  auto parts = LoadImage(*heap, path_, "test id", true);
  ASSERT_TRUE(parts.ok()) << parts.status();
  Check(*heap, parts->roots[0], 20);
  EXPECT_FALSE(LoadImage(*heap, path_, "test id", true).ok());
}

TEST_F(ImageTest, EverySingleFlippedBitIsNoticed) {
  Save(8);
  std::string image = ReadFile(path_);
  auto heap = MakeHeap();
  int fd = open(path_.c_str(), O_WRONLY);
  ASSERT_GE(fd, 0);
  for (size_t i = 0; i < image.size(); ++i) {
#if defined(__SANITIZE_ADDRESS__)
    if (image[i] == 0 && i % 8 != 0) continue;  // a hundred thousand loads take too long here
#endif
    for (int bit = 0; bit < 8; ++bit) {
      char flipped = static_cast<char>(image[i] ^ (1 << bit));
      ASSERT_EQ(pwrite(fd, &flipped, 1, static_cast<off_t>(i)), 1);
      ASSERT_FALSE(LoadImage(*heap, path_, "test id", true).ok()) << "byte " << i << " bit " << bit;
    }
    ASSERT_EQ(pwrite(fd, &image[i], 1, static_cast<off_t>(i)), 1);
  }
  close(fd);
  ASSERT_TRUE(LoadImage(*heap, path_, "test id", true).ok());
}

// What a checksum cannot find: an image that was made wrong. The verifier has to stop at it, and
// nothing may crash on the way.
TEST_F(ImageTest, TheVerifierReadsForgedImagesWithoutCrashing) {
  Save(60);
  const std::string image = ReadFile(path_);
  std::mt19937_64 random(5);
  ImageHeader header;
  std::memcpy(static_cast<void*>(&header), image.data(), sizeof(header));
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string forged = image;
    size_t span = header.root_offset - kPageBytes;
    for (size_t k = 0; k <= i % 3u; ++k) {
      size_t at = kPageBytes + random() % span / 8 * 8;
      uint64_t word;
      std::memcpy(&word, forged.data() + at, 8);
      switch (random() % 4) {
        case 0:
          word = random();
          break;
        case 1:
          word ^= uint64_t{1} << random() % 64;
          break;
        case 2:
          word += 8;
          break;
        case 3:
          std::memcpy(&word, image.data() + kPageBytes + random() % span / 8 * 8, 8);
          break;
      }
      std::memcpy(forged.data() + at, &word, 8);
    }
    ImageChecksum sum;
    sum.Add(forged.data() + kPageBytes, forged.size() - kPageBytes);
    header.body_checksum = sum.Finish();
    header.header_checksum = HeaderChecksum(header);
    std::memcpy(forged.data(), &header, sizeof(header));
    WriteFile(path_, forged);
    auto heap = MakeHeap();
    auto parts = LoadImage(*heap, path_, "test id", true);
    ASSERT_TRUE(parts.ok()) << parts.status();
    if (!heap->Verify().ok()) ++refused;
  }
  EXPECT_GT(refused, 500);
}

TEST_F(ImageTest, AnUnwritablePathIsAnError) {
  auto heap = MakeHeap();
  absl::Status status = SaveImage(*heap, "/nonexistent/folder/image", "id", ImageParts());
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(SaveImage(*heap, path_, std::string(300, 'i'), ImageParts()).ok());
}

TEST_F(ImageTest, AnEmptyImageLoads) {
  {
    auto heap = MakeHeap();
    ASSERT_TRUE(SaveImage(*heap, path_, "", ImageParts()).ok());
  }
  auto heap = MakeHeap();
  auto parts = LoadImage(*heap, path_, "", true);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_TRUE(parts->roots.empty());
  heap->CollectFull();
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

}  // namespace
}  // namespace weft::gc
