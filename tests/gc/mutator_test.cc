// A random program against a model: objects with numbers and links are made, linked, dropped,
// replaced and collected; a plain C++ graph says what must be reachable.
#include <cstring>
#include <random>
#include <vector>

#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

constexpr size_t kRoots = 24;

class Mutator {
 public:
  Mutator(Heap& heap, uint64_t seed) : heap_(heap), random_(seed), roots_(heap) {
    roots_.resize(kRoots);
    model_roots_.assign(kRoots, -1);
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Step();
      if (i % 512 == 511) Compare();
      if (testing::Test::HasFatalFailure()) return;
    }
    Compare();
  }

 private:
  struct Node {
    std::vector<int> links;  // -1: none
    uint32_t hash = 0;
  };

  size_t Random(size_t n) { return random_() % n; }

  // An array { id link... } of some size, large at times, pinned at times.
  void NewNode(size_t root) {
    size_t links = Random(8);
    if (Random(20) == 0) links = Random(300);
    if (Random(200) == 0) links = 1000 + Random(3000);
    size_t bytes = 16 + 8 * (links + 1);
    Word array = Random(30) == 0 ? heap_.AllocatePinned(kArrayShape, bytes)
                                 : heap_.Allocate(kArrayShape, bytes);
    Object* object = ObjectAt(array);
    *object->field(0) = Word::Fixnum(static_cast<int64_t>(links + 1));
    *object->field(1) = Word::Fixnum(static_cast<int64_t>(nodes_.size()));
    Node node;
    for (size_t i = 0; i < links; ++i) {
      size_t from = Random(kRoots);
      bool link = Random(3) != 0 && model_roots_[from] >= 0;
      *object->field(2 + i) = link ? roots_.get(from) : kFalse;
      node.links.push_back(link ? model_roots_[from] : -1);
    }
    if (Random(4) == 0) {
      node.hash = heap_.NextIdentityHash();
      object->set_hash(node.hash);
    }
    roots_.set(root, array);
    model_roots_[root] = static_cast<int>(nodes_.size());
    nodes_.push_back(node);
  }

  void Step() {
    size_t a = Random(kRoots), b = Random(kRoots);
    Node* node = model_roots_[a] < 0 ? nullptr : &nodes_[static_cast<size_t>(model_roots_[a])];
    switch (Random(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        NewNode(a);
        break;
      case 5:
      case 6:
      case 7:
      case 8:
        if (node != nullptr && !node->links.empty()) {
          size_t i = Random(node->links.size());
          SetField(heap_, roots_.get(a), 2 + i, roots_.get(b));
          node->links[i] = model_roots_[b];
        }
        break;
      case 9:
      case 10:
        // Walk to a link.
        if (node != nullptr && !node->links.empty()) {
          size_t i = Random(node->links.size());
          Word word = Field(roots_.get(a), 2 + i);
          int id = node->links[i];
          ASSERT_EQ(word.IsPointer(), id >= 0);
          roots_.set(b, word);
          model_roots_[b] = id;
        }
        break;
      case 11:
        if (Random(3) == 0) {
          roots_.set(a, kFalse);
          model_roots_[a] = -1;
        }
        break;
      case 12:
        NewBytes(heap_, Random(20000));
        break;
      case 13:
        if (Random(8) == 0) heap_.CollectMinor();
        if (Random(20) == 0) heap_.StartCycle();
        break;
      case 14:
        if (Random(60) == 0) heap_.CollectFull();
        break;
      case 15:
        if (Random(40) == 0 && node != nullptr && model_roots_[b] >= 0 &&
            model_roots_[a] != model_roots_[b]) {
          int from = model_roots_[a], to = model_roots_[b];
          uint32_t hash = node->hash;
          heap_.Become({roots_.get(a)}, {roots_.get(b)});
          for (Node& each : nodes_) {
            for (int& link : each.links) link = link == from ? to : link;
          }
          for (int& root : model_roots_) root = root == from ? to : root;
          if (hash != 0) nodes_[static_cast<size_t>(to)].hash = hash;
        }
        break;
    }
  }

  void Compare() {
    absl::Status status = heap_.Verify();
    ASSERT_TRUE(status.ok()) << status;
    std::vector<uint64_t> at(nodes_.size(), 0);
    std::vector<int> pending;
    auto meet = [&](Word word, int id) {
      if (id < 0) {
        ASSERT_EQ(word, kFalse);
        return;
      }
      ASSERT_TRUE(word.IsPointer());
      uint64_t& known = at[static_cast<size_t>(id)];
      if (known == 0) {
        known = word.Address();
        pending.push_back(id);
      }
      ASSERT_EQ(known, word.Address());
    };
    for (size_t i = 0; i < kRoots; ++i) meet(roots_.get(i), model_roots_[i]);
    while (!pending.empty()) {
      int id = pending.back();
      pending.pop_back();
      const Node& node = nodes_[static_cast<size_t>(id)];
      Object* object = reinterpret_cast<Object*>(at[static_cast<size_t>(id)]);
      ASSERT_EQ(object->shape(), kArrayShape);
      ASSERT_EQ(object->hash(), node.hash);
      ASSERT_EQ(*object->field(0), Word::Fixnum(static_cast<int64_t>(node.links.size() + 1)));
      ASSERT_EQ(*object->field(1), Word::Fixnum(id));
      for (size_t i = 0; i < node.links.size(); ++i) meet(*object->field(2 + i), node.links[i]);
    }
  }

  Heap& heap_;
  std::mt19937_64 random_;
  RootVector roots_;
  std::vector<Node> nodes_;
  std::vector<int> model_roots_;
};

void RunSeeds(HeapOptions options, int seeds, int steps) {
  for (int seed = 1; seed <= seeds; ++seed) {
    options.stress_seed = static_cast<uint64_t>(seed);
    auto heap = MakeHeap(options);
    Mutator(*heap, static_cast<uint64_t>(seed)).Run(steps);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "with seed " << seed;
      return;
    }
  }
}

TEST(MutatorTest, Plain) { RunSeeds(HeapOptions(), 10, 20000); }

TEST(MutatorTest, SmallNursery) {
  HeapOptions options;
  options.nursery_bytes = 64 << 10;
  RunSeeds(options, 10, 20000);
}

TEST(MutatorTest, SmallNurseryVerified) {
  HeapOptions options;
  options.nursery_bytes = 64 << 10;
  options.verify = true;
  RunSeeds(options, 6, 10000);
}

TEST(MutatorTest, Stress) {
  HeapOptions options;
  options.stress_rate = 5;
  RunSeeds(options, 6, 8000);
}

TEST(MutatorTest, StressAtEveryAllocationVerified) {
  HeapOptions options;
  options.stress_rate = 1;
  options.verify = true;
  options.mark_stack_entries = 3;
  RunSeeds(options, 3, 3000);
}

}  // namespace
}  // namespace weft::gc
