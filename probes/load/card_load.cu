// Works one card and checks what it did. Devices are numbered in the order of their addresses (CUDA_DEVICE_ORDER).
//   card_load check DEVICE SECONDS   patterns over nearly the whole memory, and products of matrices, until time is up
//   card_load copy DEVICE SECONDS    copies from and to pinned memory of the machine
// One line at the end: "card_load check device 0 seconds 60.1 bytes B passes N bits E products P wrong W digest D
// gflops G" or "card_load copy device 0 seconds 10.0 h2d X d2h Y" (GB/s, 10^9 bytes).
// bits: words of memory that did not hold what was written. wrong: products whose digest differs from the first one.
// The digest is the same on every card of one model: each element is summed up in one fixed order.
#include <cuda_runtime.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double SHARE = 0.9;  // the driver keeps some memory for itself
static const int N = 4096;        // rows and columns of a matrix
static const int TILE = 16;
static const int PRODUCTS = 20;   // between two passes over the memory
static const size_t COPY_BYTES = 256u << 20;
static const int SHOWN_EVERY_S = 600;
typedef unsigned long long u64;

static void refuse(cudaError_t status, int line) {
    if (status == cudaSuccess) return;
    fprintf(stderr, "CUDA error at card_load.cu:%d code=%d(%s) \n", line, (int)status, cudaGetErrorName(status));
    exit(1);
}
#define check(call) refuse((call), __LINE__)

static double now() {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

__device__ static u64 mixed(u64 x) {  // neighbours differ in half of their bits
    x ^= x >> 33; x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33; x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

__global__ static void fill(u64 *words, size_t count, u64 seed, u64 flip) {
    size_t stride = (size_t)gridDim.x * blockDim.x;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride) words[i] = mixed(i ^ seed) ^ flip;
}

__global__ static void compare(const u64 *words, size_t count, u64 seed, u64 flip, u64 *wrong) {
    size_t stride = (size_t)gridDim.x * blockDim.x;
    u64 mine = 0;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride)
        mine += words[i] != (mixed(i ^ seed) ^ flip);
    if (mine) atomicAdd(wrong, mine);
}

__global__ static void prepare(float *a, float *b) {
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= (size_t)N * N) return;
    a[i] = (float)(mixed(i) % 2048) / 1024.0f - 1.0f;
    b[i] = (float)(mixed(i + 0x9e3779b97f4a7c15ULL) % 2048) / 1024.0f - 1.0f;
}

__global__ static void multiply(const float *a, const float *b, float *c) {
    __shared__ float left[TILE][TILE], right[TILE][TILE];
    int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
    float sum = 0.0f;
    for (int at = 0; at < N; at += TILE) {
        left[threadIdx.y][threadIdx.x] = a[(size_t)row * N + at + threadIdx.x];
        right[threadIdx.y][threadIdx.x] = b[(size_t)(at + threadIdx.y) * N + column];
        __syncthreads();
        for (int k = 0; k < TILE; k++) sum = fmaf(left[threadIdx.y][k], right[k][threadIdx.x], sum);
        __syncthreads();
    }
    c[(size_t)row * N + column] = sum;
}

__global__ static void digest_of(const float *c, u64 *digest) {
    size_t stride = (size_t)gridDim.x * blockDim.x;
    u64 mine = 0;
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (size_t)N * N; i += stride)
        mine += mixed((u64)__float_as_uint(c[i]) ^ ((u64)i << 32));  // whole numbers: any order gives the same sum
    atomicAdd(digest, mine);
}

static u64 take(u64 *counter) {
    u64 value = 0;
    check(cudaGetLastError());
    check(cudaMemcpy(&value, counter, sizeof value, cudaMemcpyDeviceToHost));
    check(cudaMemset(counter, 0, sizeof value));
    return value;
}

static void run_checks(int device, double seconds) {
    size_t free_bytes = 0, total_bytes = 0;
    float *a, *b, *c;
    u64 *counter, *words, bits = 0, wrong = 0, products = 0, passes = 0, first = 0;
    const size_t matrix = (size_t)N * N * sizeof(float);
    check(cudaMalloc(&a, matrix));
    check(cudaMalloc(&b, matrix));
    check(cudaMalloc(&c, matrix));
    check(cudaMalloc(&counter, sizeof *counter));
    check(cudaMemset(counter, 0, sizeof *counter));
    check(cudaMemGetInfo(&free_bytes, &total_bytes));
    size_t count = (size_t)(free_bytes * SHARE) / sizeof(u64);
    check(cudaMalloc(&words, count * sizeof(u64)));
    prepare<<<(unsigned)(((size_t)N * N + 255) / 256), 256>>>(a, b);
    check(cudaGetLastError());
    double begun = now(), computed_s = 0, shown = begun;
    do {
        for (int half = 0; half < 2; half++) {  // each bit once as 0 and once as 1
            u64 flip = half ? ~0ULL : 0;
            fill<<<4096, 256>>>(words, count, passes << 40, flip);
            compare<<<4096, 256>>>(words, count, passes << 40, flip, counter);
            bits += take(counter);
        }
        passes++;
        double before = now();
        for (int n = 0; n < PRODUCTS; n++) {
            multiply<<<dim3(N / TILE, N / TILE), dim3(TILE, TILE)>>>(a, b, c);
            digest_of<<<1024, 256>>>(c, counter);
            u64 digest = take(counter);
            if (!products++) first = digest;
            wrong += digest != first;
        }
        computed_s += now() - before;
        if (now() - shown > SHOWN_EVERY_S) {
            shown = now();
            fprintf(stderr, "card_load device %d after %.0f s: bits %llu wrong %llu\n", device, shown - begun, bits, wrong);
        }
    } while (now() - begun < seconds);
    printf("card_load check device %d seconds %.1f bytes %zu passes %llu bits %llu products %llu wrong %llu digest %016llx "
           "gflops %.1f\n", device, now() - begun, count * sizeof(u64), passes, bits, products, wrong, first,
           2.0 * N * N * N * products / computed_s / 1e9);
}

static double copied(void *to, const void *from, cudaMemcpyKind kind, double seconds) {
    double begun = now(), bytes = 0;
    do {
        for (int n = 0; n < 4; n++) check(cudaMemcpyAsync(to, from, COPY_BYTES, kind));
        check(cudaDeviceSynchronize());
        bytes += 4.0 * COPY_BYTES;
    } while (now() - begun < seconds);
    return bytes / (now() - begun) / 1e9;
}

static void run_copies(int device, double seconds) {
    void *here, *there;
    check(cudaMallocHost(&here, COPY_BYTES));
    check(cudaMalloc(&there, COPY_BYTES));
    memset(here, 1, COPY_BYTES);
    double begun = now();
    double h2d = copied(there, here, cudaMemcpyHostToDevice, seconds / 2);
    double d2h = copied(here, there, cudaMemcpyDeviceToHost, seconds / 2);
    printf("card_load copy device %d seconds %.1f h2d %.2f d2h %.2f\n", device, now() - begun, h2d, d2h);
}

int main(int argc, char **argv) {
    if (argc != 4 || (strcmp(argv[1], "check") && strcmp(argv[1], "copy"))) {
        fprintf(stderr, "usage: %s check|copy DEVICE SECONDS\n", argv[0]);
        return 2;
    }
    int device = atoi(argv[2]);
    double seconds = atof(argv[3]);
    check(cudaSetDevice(device));
    if (!strcmp(argv[1], "check")) run_checks(device, seconds);
    else run_copies(device, seconds);
    return 0;
}
