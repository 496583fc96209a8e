// What the memory of a card holds: fills it with a pattern, or counts the pattern in it.
//   memory_residue write PATTERN   fill, then count in the same memory: proves that counting works
//   memory_residue count PATTERN   count in memory that this program never wrote
// Prints "words N found M": N 32-bit words were looked at, M hold the pattern. PATTERN is hexadecimal.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_runtime.h>

static const double SHARE = 0.9;  // the driver keeps some memory for itself

static void check(cudaError_t status) {
    if (status == cudaSuccess) return;
    fprintf(stderr, "memory_residue: %s\n", cudaGetErrorString(status));
    exit(1);
}

__global__ void fill(uint32_t *words, size_t count, uint32_t pattern) {
    size_t stride = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) words[i] = pattern;
}

__global__ void tally(const uint32_t *words, size_t count, uint32_t pattern, unsigned long long *found) {
    size_t stride = (size_t)gridDim.x * blockDim.x;
    unsigned long long mine = 0;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) mine += words[i] == pattern;
    if (mine) atomicAdd(found, mine);
}

int main(int argc, char **argv) {
    if (argc != 3 || (strcmp(argv[1], "write") && strcmp(argv[1], "count"))) {
        fprintf(stderr, "usage: %s write|count PATTERN\n", argv[0]);
        return 2;
    }
    uint32_t pattern = (uint32_t)strtoul(argv[2], NULL, 16);
    size_t free_bytes = 0, total_bytes = 0;
    unsigned long long *found = NULL, result = 0;
    check(cudaMalloc(&found, sizeof *found));
    check(cudaMemset(found, 0, sizeof *found));
    check(cudaMemGetInfo(&free_bytes, &total_bytes));
    size_t count = (size_t)(free_bytes * SHARE) / sizeof(uint32_t);
    uint32_t *words = NULL;
    check(cudaMalloc(&words, count * sizeof(uint32_t)));
    if (!strcmp(argv[1], "write")) fill<<<1024, 256>>>(words, count, pattern);
    check(cudaGetLastError());
    tally<<<1024, 256>>>(words, count, pattern, found);
    check(cudaGetLastError());
    check(cudaMemcpy(&result, found, sizeof result, cudaMemcpyDeviceToHost));
    printf("words %zu found %llu\n", count, result);
    return 0;
}
