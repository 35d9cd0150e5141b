"""What reductions gather: how they take a number, how two of them become one, and what comes out of them.

Moments are gathered as Welford (1962) has it and merged as Chan, Golub & LeVeque (1979) do: nothing cancels, whatever the mean.
"""

from __future__ import annotations

from typing import NamedTuple

BLOCK = 256
"""Threads."""


class Reducer(NamedTuple):
    """A type of C++, its size in numbers, and what comes out of it."""

    name: str
    numbers: int
    results: tuple[str, ...]


REDUCERS = {
    "sum": Reducer("Sum", 1, ("total",)),
    "max": Reducer("Largest", 1, ("best",)),
    "moments": Reducer("Moments", 3, ("centre()", "spread()")),
    "logsumexp": Reducer("LogSum", 2, ("logarithm()",)),
    "argmax": Reducer("Place", 2, ("at",)),
}

STRUCTS = r"""
// `take` adds a number, which is such a share of all that the thread has taken, and stands at a place; `close` tells how many there were.
template <class N> struct Sum {
    N total;
    __device__ void start() { total = 0; }
    __device__ void take(N x, N share, i64 place) { total += x; }
    __device__ void join(const Sum& other) { total += other.total; }
    __device__ void close(N many) {}
};

template <class N> struct Largest {
    N best;
    __device__ void start() { best = -(N)INF; }
    __device__ void take(N x, N share, i64 place) { best = larger(best, x); }
    __device__ void join(const Largest& other) { best = larger(best, other.best); }
    __device__ void close(N many) {}
};

template <class N> struct Moments {
    N mean, squares, count;
    __device__ void start() { mean = squares = count = 0; }
    __device__ void take(N x, N share, i64 place) {
        const N apart = x - mean;
        mean += apart * share;
        squares += apart * (x - mean);
    }
    __device__ void join(const Moments& other) {
        const N both = count + other.count, share = other.count > 0 ? other.count / both : 0, apart = other.mean - mean;
        squares += other.squares + apart * apart * count * share;
        mean += apart * share;
        count = both;
    }
    __device__ void close(N many) { count = many; }
    __device__ N centre() const { return count > 0 ? mean : (N)NAN; }
    __device__ N spread() const { return squares / count; }
};

// The sum is that of exp(x - shift); the shift is the largest, so that no exp overflows.
template <class N> struct LogSum {
    N largest, total;
    __device__ void start() { largest = -(N)INF; total = 0; }
    __device__ static N shift(N x) { return fabs(x) < (N)INF ? x : 0; }
    __device__ void take(N x, N share, i64 place) { join(LogSum{x, 1}); }
    __device__ void join(const LogSum& other) {
        const N both = larger(largest, other.largest), apart = shift(both);
        total = total * exp(largest - apart) + other.total * exp(other.largest - apart);
        largest = both;
    }
    __device__ void close(N many) {}
    __device__ N logarithm() const { return shift(largest) + log(total); }
};

// Of equals the first; NaN is larger than all.
template <class N> struct Place {
    N best;
    int at;
    __device__ void start() { best = -(N)INF; at = 0x7fffffff; }
    __device__ void take(N x, N share, i64 place) { join(Place{x, (int)place}); }
    __device__ void join(const Place& other) {
        const N a = best, b = other.best;
        const bool same = a == b || (a != a && b != b);
        if (same ? other.at < at : a == a && (b != b || b > a)) *this = other;
    }
    __device__ void close(N many) {}
};

// Of the threads that share a unit, `step` threads apart, the first puts together what all of them gathered.
template <int Many, class A> __device__ inline void together(A* own, u32 turn, u32 along, u32 step) {
    __shared__ A room[256][Many];
    __syncthreads();
    #pragma unroll
    for (int l = 0; l < Many; ++l) room[threadIdx.x][l] = own[l];
    for (u32 half = along / 2; half; half /= 2) {
        __syncthreads();
        if (turn < half) {
            #pragma unroll
            for (int l = 0; l < Many; ++l) {
                own[l].join(room[threadIdx.x + half * step][l]);
                room[threadIdx.x][l] = own[l];
            }
        }
    }
}
"""
