"""Rendered scenes with known lights: what the training script uses when no data is given.

A scene is rendered from spectra at 31 wavelengths, 400 to 700 nm: light x reflectance x
sensor, summed, as in a camera. Painted shapes then carry those colours with texture,
shading, cast shadows and highlights, and the picture gets exposure, noise, clipping and
12 bits like a raw file. What is dominated by leaves, wood, brick or sky is so on purpose:
the mean of such a scene is not grey, which is what makes the problem hard.

It is a stand-in for photographs, good for trying the training and for tests. No figure
measured on it says anything about photographs.
"""

import numpy as np

from keras_gans.dscnn.scenes import Scenes

WAVELENGTHS = np.arange(400.0, 701.0, 10.0)

# CIE 15:2004, table T.2: mean S0 and first two components S1, S2 of daylight, every 10 nm.
DAYLIGHT_S0 = np.array([
    94.8, 104.8, 105.9, 96.8, 113.9, 125.6, 125.5, 121.3, 121.3, 113.5, 113.1,
    110.8, 106.5, 108.8, 105.3, 104.4, 100.0, 96.0, 95.1, 89.1, 90.5,
    90.3, 88.4, 84.0, 85.1, 81.9, 82.6, 84.9, 81.3, 71.9, 74.3,
])  # fmt: skip
DAYLIGHT_S1 = np.array([
    43.4, 46.3, 43.9, 37.1, 36.7, 35.9, 32.6, 27.9, 24.3, 20.1, 16.2,
    13.2, 8.6, 6.1, 4.2, 1.9, 0.0, -1.6, -3.5, -3.5, -5.8,
    -7.2, -8.6, -9.5, -10.9, -10.7, -12.0, -14.0, -13.6, -12.0, -13.3,
])  # fmt: skip
DAYLIGHT_S2 = np.array([
    -1.1, -0.5, -0.7, -1.2, -2.6, -2.9, -2.8, -2.6, -2.6, -1.8, -1.5,
    -1.3, -1.2, -1.0, -0.5, -0.3, 0.0, 0.2, 0.5, 2.1, 3.2,
    4.1, 4.7, 5.1, 6.7, 7.3, 8.6, 9.8, 10.2, 8.3, 9.6,
])  # fmt: skip


def _bump(centre, width):
    return np.exp(-0.5 * ((WAVELENGTHS - centre) / width) ** 2)


def _step(centre, width):
    return 1 / (1 + np.exp(-(WAVELENGTHS - centre) / width))


# Made-up but plausible sensors (3, 31): rows red, green, blue; green is the strongest.
CAMERAS = {
    "synthetic-a": np.stack([
        0.70 * _bump(605, 32) + 0.05 * _bump(530, 30),
        1.00 * _bump(535, 38) + 0.06 * _bump(610, 30),
        0.75 * _bump(460, 28) + 0.05 * _bump(530, 30),
    ]),
    "synthetic-b": np.stack([
        0.60 * _bump(595, 38) + 0.10 * _bump(540, 35),
        1.00 * _bump(528, 44) + 0.10 * _bump(600, 30),
        0.90 * _bump(450, 30) + 0.12 * _bump(525, 35),
    ]),
}  # fmt: skip


# Lights: relative spectral power (31,), 1 at 560 nm ---------------------------------------


def blackbody(temperature):
    """Planck's law at `temperature` kelvin: tungsten lamps and the low sun."""
    metres = WAVELENGTHS * 1e-9
    power = metres**-5 / np.expm1(1.4388e-2 / (metres * temperature))
    return power / power[16]


def daylight(temperature):
    """A phase of daylight at 4000 to 25000 K, CIE 15:2004, equations 3.2 to 3.6."""
    t = 1e3 / temperature
    if temperature <= 7000:
        x = -4.6070 * t**3 + 2.9678 * t**2 + 0.09911 * t + 0.244063
    else:
        x = -2.0064 * t**3 + 1.9018 * t**2 + 0.24748 * t + 0.237040
    y = -3 * x**2 + 2.87 * x - 0.275
    scale = 0.0241 + 0.2562 * x - 0.7341 * y
    m1 = (-1.3515 - 1.7703 * x + 5.9114 * y) / scale
    m2 = (0.03 - 31.4424 * x + 30.0717 * y) / scale
    return (DAYLIGHT_S0 + m1 * DAYLIGHT_S1 + m2 * DAYLIGHT_S2) / 100


def fluorescent(warmth, narrow):
    """Mercury lines over phosphor: broad bands, or three narrow ones if `narrow`.

    Args:
        warmth: 0 (cool white) to 1 (warm white).
        narrow: True for a three-band lamp, False for a halophosphate lamp.
    """
    lines = 0.5 * _bump(405, 6) + 1.0 * _bump(436, 6)
    lines = lines + 1.1 * _bump(546, 6) + 0.3 * _bump(578, 6)
    if narrow:
        blue, green, red = 0.9 - 0.6 * warmth, 1.3, 0.8 + 1.0 * warmth
        bands = blue * _bump(452, 18) + green * _bump(544, 9) + red * _bump(612, 9)
        bands = bands + 0.25 * _bump(490, 12) + 0.3 * _bump(585, 14)
        power = 0.5 * lines + bands
    else:
        power = 0.5 * lines + (0.8 - 0.5 * warmth) * _bump(480, 38) + 1.1 * _bump(582, 40)
    return power / power[16]


def _draw_light(rng, outdoors):
    """A light that fits the place, with the slight cast of nearby glass, leaves, walls."""
    kind = rng.random()
    mired = rng.uniform  # drawn in 1e6 / K, in which equal steps look equal
    if outdoors:
        if kind < 0.60:
            light = daylight(1e6 / mired(133, 250))  # 4000 to 7500 K
        elif kind < 0.90:
            light = daylight(1e6 / mired(83, 133))  # shade: 7500 to 12000 K
        else:
            light = blackbody(1e6 / mired(250, 350))  # low sun: 2900 to 4000 K
    elif kind < 0.40:
        light = blackbody(1e6 / mired(286, 400))  # tungsten: 2500 to 3500 K
    elif kind < 0.70:
        light = fluorescent(rng.random(), narrow=rng.random() < 0.5)
    elif kind < 0.85:
        light = daylight(1e6 / mired(133, 222))  # through a window
    else:
        share = rng.uniform(0.25, 0.75)  # a lamp beside the window, well mixed
        light = share * blackbody(1e6 / mired(286, 400))
        light = light + (1 - share) * daylight(1e6 / mired(100, 200))
    return light * np.exp(rng.normal(0, 0.06) * _bump(545, 45))


# Surfaces: reflectance (31,) --------------------------------------------------------------


def _grey(rng):
    level = np.exp(rng.uniform(np.log(0.06), np.log(0.85)))
    return level * (1 + rng.normal(0.03, 0.06) * (WAVELENGTHS - 550) / 150)


def _white(rng):
    return rng.uniform(0.6, 0.9) * (1 + rng.normal(0.05, 0.05) * (WAVELENGTHS - 550) / 150)


def _leaf(rng):
    green = rng.uniform(0.06, 0.16) * _bump(rng.uniform(545, 560), rng.uniform(26, 36))
    yellow = rng.uniform(0, 0.05) * _step(rng.uniform(520, 545), 14)
    return rng.uniform(0.02, 0.05) + green + yellow + 0.35 * _step(705, 9)


def _rising(rng, low, high, centre, width):
    """Everything brown: reflectance that rises once, from the blue to the red."""
    low, high = rng.uniform(*low), rng.uniform(*high)
    return low + (high - low) * _step(rng.uniform(*centre), rng.uniform(*width))


def _wood(rng):
    return _rising(rng, (0.05, 0.16), (0.25, 0.55), (545, 590), (28, 50))


def _earth(rng):
    return _rising(rng, (0.05, 0.14), (0.18, 0.38), (535, 580), (35, 60))


def _brick(rng):
    return _rising(rng, (0.05, 0.10), (0.22, 0.42), (575, 600), (16, 26))


def _skin(rng):
    blood = 1 - rng.uniform(0.1, 0.25) * (_bump(543, 14) + _bump(577, 12))
    return _rising(rng, (0.06, 0.28), (0.30, 0.65), (565, 595), (25, 40)) * blood


def _hair(rng):
    return _rising(rng, (0.02, 0.06), (0.06, 0.30), (580, 620), (30, 60))


def _wall(rng):
    """Wall paint: cream, beige, ochre."""
    return _rising(rng, (0.15, 0.55), (0.60, 0.80), (480, 545), (20, 50))


def _sky(rng):
    """Not a surface: scattered light beside the sun's, bluer the clearer it is."""
    return rng.uniform(0.45, 1.0) * (WAVELENGTHS / 550) ** -rng.uniform(1.5, 3.6)


def _cloud(rng):
    return rng.uniform(0.6, 1.1) * (WAVELENGTHS / 550) ** -rng.uniform(0.0, 0.6)


def _water(rng):
    return rng.uniform(0.05, 0.2) * (WAVELENGTHS / 550) ** -rng.uniform(0.5, 2.5)


def _paint(rng):
    low, high = rng.uniform(0.03, 0.1), rng.uniform(0.3, 0.8)
    shape = rng.integers(5)
    if shape == 0:  # yellow, orange, red
        profile = _step(rng.uniform(490, 620), rng.uniform(8, 18))
    elif shape == 1:  # blue, cyan
        profile = 1 - _step(rng.uniform(480, 560), rng.uniform(10, 22))
    elif shape == 2:  # green
        profile = _bump(rng.uniform(500, 555), rng.uniform(25, 45))
    elif shape == 3:  # blue, violet
        profile = _bump(rng.uniform(430, 480), rng.uniform(25, 40)) + 0.4 * _step(680, 12)
    else:  # magenta, purple
        profile = 1 - 0.9 * _bump(rng.uniform(510, 560), rng.uniform(35, 55))
    return low + (high - low) * profile


def _cloth(rng):
    share = rng.uniform(0.2, 0.8)
    return share * _paint(rng) + (1 - share) * _grey(rng)


SMOOTH, ROUGH, LEAFY, GRAIN, BRICKS = range(5)

# name: (reflectance, a second one that mixes in by the texture or None for the same a
# little darker, texture, contrast, gloss)
MATERIALS = {
    "grey": (_grey, None, SMOOTH, 0.15, 0.2),
    "concrete": (_grey, _earth, ROUGH, 0.25, 0.0),
    "white": (_white, None, SMOOTH, 0.05, 0.2),
    "leaves": (_leaf, _leaf, LEAFY, 0.8, 0.15),
    "grass": (_leaf, _leaf, ROUGH, 0.5, 0.0),
    "wood": (_wood, _wood, GRAIN, 0.3, 0.2),
    "bark": (_earth, None, GRAIN, 0.6, 0.0),
    "earth": (_earth, _earth, ROUGH, 0.4, 0.0),
    "brick": (_brick, _earth, BRICKS, 0.25, 0.0),
    "skin": (_skin, None, SMOOTH, 0.1, 0.3),
    "hair": (_hair, None, GRAIN, 0.3, 0.1),
    "wall": (_wall, None, SMOOTH, 0.05, 0.0),
    "sky": (_sky, None, SMOOTH, 0.02, 0.0),
    "clouds": (_sky, _cloud, SMOOTH, 0.05, 0.0),
    "overcast": (_cloud, None, SMOOTH, 0.05, 0.0),
    "water": (_water, _water, GRAIN, 0.5, 0.4),
    "paint": (_paint, None, SMOOTH, 0.1, 0.6),
    "cloth": (_cloth, None, ROUGH, 0.25, 0.0),
}


def sensor_response(reflectances, light, camera):
    """The colours that surfaces have in a camera under a light.

    Args:
        reflectances: (..., 31), 0 to 1 at `WAVELENGTHS`.
        light: (31,) relative power.
        camera: (3, 31) sensitivities of red, green and blue.

    Returns:
        (..., 3) linear RGB, scaled so that a perfect white has a largest channel of 1.
    """
    weights = (camera * light).T
    return reflectances @ weights / weights.sum(axis=0).max()


# Geometry and texture ---------------------------------------------------------------------


def _noise(rng, size, exponent, stretch=(1.0, 1.0)):
    """Gaussian noise (H, W) of power 1/f^(2 exponent), mean 0, standard deviation 1."""
    fy = np.fft.fftfreq(size[0])[:, None] * stretch[0]
    fx = np.fft.rfftfreq(size[1])[None, :] * stretch[1]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal(size)) / frequency**exponent
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, s=size)
    return field / field.std()


def _bricks(size, rng):
    """Courses of bricks: noise of one value a brick, mortar high."""
    height = rng.uniform(5, 12)
    y, x = np.mgrid[: size[0], : size[1]]
    row = (y / height).astype(int)
    column = x / (height * 2.6) + 0.5 * (row % 2)
    mortar = ((y % height) < 1.2) | ((column % 1) < 0.05)
    shade = rng.standard_normal((row.max() + 1, int(column.max()) + 1))
    return np.where(mortar, 3.0, 0.6 * shade[row, column.astype(int)] - 1.2)


class _Canvas:
    """Shapes painted over one another: which material, how lit, how glossy, per pixel."""

    def __init__(self, rng, size):
        self.rng = rng
        self.size = size
        self.y, self.x = np.mgrid[: size[0], : size[1]].astype(np.float64)
        self.y, self.x = self.y / size[0], self.x / size[0]  # unit: the image's height
        self.width = size[1] / size[0]
        self.labels = np.zeros(size, np.intp)
        self.shading = np.ones(size)
        self.shine = np.zeros(size)
        self.materials = []
        self.textures = np.stack([
            _noise(rng, size, 1.6),
            _noise(rng, size, 0.7),
            _noise(rng, size, 0.9),
            _noise(rng, size, 1.0, stretch=(0.15, 1.0)[:: rng.choice([1, -1])]),
            _bricks(size, rng),
        ])  # fmt: skip

    def paint(self, mask, names, shading=1.0):
        """Paints `mask` with a material drawn from `names`, lit by `shading`."""
        self.labels[mask] = len(self.materials)
        self.shading[mask] = np.broadcast_to(shading, self.size)[mask]
        self.shine[mask] = 0.0
        self.materials.append(self.rng.choice(names))

    def below(self, level, roughness=0.0):
        """What lies under a ridge at `level` (0 the top, 1 the bottom)."""
        ridge = _noise(self.rng, (1, self.size[1]), 1.3)[0] * roughness
        tilt = self.rng.normal(0, 0.03) * (self.x - self.width / 2)
        return self.y > level + ridge + tilt

    def box(self, left, top, width, height):
        inside = (self.x >= left) & (self.x < left + width)
        return inside & (self.y >= top) & (self.y < top + height)

    def trunk(self, left, top, width, height):
        """An upright cylinder of bark, lit from the left."""
        across = np.clip((self.x - left) / width, 0, 1)
        lit = 0.25 + 0.75 * np.sin(np.pi * np.sqrt(across))
        self.paint(self.box(left, top, width, height), ["bark"], lit)

    def ball(self, names, x, y, radius, angle=0.0, flat=1.0):
        """An ellipse, lit from above like a ball, with a highlight if it is glossy."""
        dx, dy = self.x - x, self.y - y
        across = (dx * np.cos(angle) + dy * np.sin(angle)) / radius
        along = (dy * np.cos(angle) - dx * np.sin(angle)) / (radius * flat)
        square = across**2 + along**2
        mask = square < 1
        normal = np.sqrt(np.clip(1 - square, 0, 1))
        lit = np.clip(0.75 * normal - 0.55 * dy / radius - 0.3 * dx / radius, 0, 1)
        self.paint(mask, names, 0.35 + 0.65 * lit)
        gloss = MATERIALS[self.materials[-1]][4] * self.rng.uniform(0, 2)
        spot = (dx + 0.3 * radius) ** 2 + (dy + 0.4 * radius) ** 2
        self.shine += mask * gloss * np.exp(-spot / (0.12 * radius) ** 2)


def _leaves(canvas, count, names, top, bottom, sizes):
    """Overlapping leaves or stones: the 'dead leaves' model, sizes by a power law."""
    rng = canvas.rng
    for _ in range(count):
        radius = sizes[0] * (sizes[1] / sizes[0]) ** (rng.random() ** 2)
        place = rng.uniform(0, canvas.width), rng.uniform(top, bottom)
        canvas.ball(names, *place, radius, rng.uniform(0, np.pi), rng.uniform(0.3, 1.0))


def _landscape(canvas):
    rng = canvas.rng
    horizon = rng.uniform(0.15, 0.7)
    glow = 0.7 + 0.5 * np.clip(canvas.y / horizon, 0, 1)
    canvas.paint(canvas.y >= 0, ["sky", "sky", "clouds", "overcast"], glow)
    for level in np.sort(rng.uniform(horizon - 0.1, horizon + 0.05, rng.integers(1, 3))):
        canvas.paint(canvas.below(level, 0.04), ["leaves", "leaves", "earth", "grass"], 0.6)
    canvas.paint(canvas.below(horizon + 0.08, 0.01), ["grass", "grass", "earth", "water"])
    for base in np.sort(rng.uniform(horizon + 0.05, 1.0, rng.integers(0, 9))):
        x, height = rng.uniform(0, canvas.width), rng.uniform(0.2, 0.6)
        canvas.trunk(x, base - height / 2, 0.06 * height, height / 2)
        for _ in range(8):
            dx, dy = rng.normal(0, height / 6, 2)
            radius = height * rng.uniform(0.1, 0.25)
            canvas.ball(["leaves"], x + dx, base - 0.7 * height + dy, radius)


def _undergrowth(canvas):
    rng = canvas.rng
    canvas.paint(canvas.y >= 0, ["leaves", "leaves", "earth"], 0.5)
    _leaves(canvas, rng.integers(30, 70), ["leaves"], -0.1, 1.1, (0.04, 0.3))
    for _ in range(rng.integers(0, 4)):
        canvas.trunk(rng.uniform(0, canvas.width), 0, rng.uniform(0.04, 0.2), 1)
    _leaves(canvas, rng.integers(10, 30), ["leaves"], 0.4, 1.1, (0.04, 0.2))
    _leaves(canvas, rng.integers(0, 8), ["leaves", "paint"], 0, 1, (0.02, 0.08))


def _street(canvas):
    rng = canvas.rng
    canvas.paint(canvas.y >= 0, ["sky", "clouds", "overcast"], 0.8 + 0.4 * canvas.y)
    theme = rng.choice(["brick", "brick", "brick", "wall", "wall", "concrete"])
    left = -0.1
    while left < canvas.width:
        width, top = rng.uniform(0.3, 0.9), rng.uniform(-0.3, 0.35)
        front = canvas.box(left, top, width, 1)
        canvas.paint(front, [theme, theme, theme, "wall"], rng.uniform(0.5, 1.0))
        step, glass = rng.uniform(0.12, 0.25), rng.choice(["grey", "water", "wood"])
        for x in np.arange(left + 0.3 * step, left + width - 0.5 * step, step):
            for y in np.arange(top + 0.3 * step, 0.75, 1.3 * step):
                canvas.paint(canvas.box(x, y, 0.45 * step, 0.7 * step), [glass], 0.5)
        left += width
    ground = ["concrete", "earth", "brick", "grass"]
    canvas.paint(canvas.below(rng.uniform(0.7, 0.85)), ground)
    things = ["paint", "leaves", "leaves", "cloth"]
    _leaves(canvas, rng.integers(0, 6), things, 0.65, 0.9, (0.04, 0.15))


def _room(canvas):
    rng = canvas.rng
    side = 0.6 + 0.5 * canvas.x / canvas.width
    walls = ["wood", "wall", "wall", "brick"]
    canvas.paint(canvas.y >= 0, walls, side[:, :: rng.choice([1, -1])])
    canvas.paint(canvas.below(rng.uniform(0.6, 0.85)), ["wood", "wood", "wood", "cloth"])
    for _ in range(rng.integers(3, 10)):
        width, height = rng.uniform(0.1, 0.6, 2)
        x, y = rng.uniform(-0.1, canvas.width), rng.uniform(0, 0.8)
        light = rng.uniform(0.5, 1.0)
        furniture = ["wood", "wood", "wood", "cloth", "paint", "white"]
        canvas.paint(canvas.box(x, y, width, height), furniture, light)
        if rng.random() < 0.5:
            inner = canvas.box(x + 0.02, y + 0.02, width - 0.04, height - 0.04)
            canvas.paint(inner, ["wood", "wood", "cloth", "grey"], light)
    things = ["paint", "cloth", "leaves", "skin"]
    _leaves(canvas, rng.integers(0, 6), things, 0.4, 0.9, (0.05, 0.2))


def _still_life(canvas):
    rng = canvas.rng
    canvas.paint(canvas.y >= 0, ["wall", "wood", "wood", "cloth"], rng.uniform(0.3, 1.0))
    level = rng.uniform(0.3, 0.6)
    canvas.paint(canvas.below(level), ["wood", "wood", "wood", "wood", "cloth"])
    things = ["paint", "paint", "leaves", "wood", "skin", "white"]
    _leaves(canvas, rng.integers(4, 14), things, level, 1.0, (0.06, 0.3))


def _people(canvas):
    rng = canvas.rng
    canvas.paint(canvas.y >= 0, ["wall", "wood", "wood", "brick"], rng.uniform(0.4, 1.0))
    for x in np.sort(rng.uniform(0.1, canvas.width - 0.1, rng.integers(1, 5))):
        size, y = rng.uniform(0.12, 0.28), rng.uniform(0.2, 0.5)
        canvas.ball(["cloth", "cloth", "paint"], x, y + 3.2 * size, 1.7 * size, flat=1.5)
        canvas.ball(["hair"], x, y - 0.25 * size, size, flat=1.15)
        canvas.ball(["skin"], x, y, 0.85 * size, flat=1.25)


OUTDOORS = (_landscape, _undergrowth, _street)
INDOORS = (_room, _still_life, _people)


# Rendering --------------------------------------------------------------------------------


def _cast_shadows(canvas):
    """Straight soft-edged shadows over the whole picture, factor (H, W)."""
    rng = canvas.rng
    factor = np.ones(canvas.size)
    for _ in range(rng.integers(0, 4)):
        angle, depth = rng.uniform(0, np.pi), rng.uniform(0.3, 0.85)
        across = np.cos(angle) * canvas.x + np.sin(angle) * canvas.y
        start, width = rng.uniform(0, 1.2), rng.uniform(0.05, 0.5)
        softness = rng.uniform(0.005, 0.05)
        distance = np.clip((np.abs(across - start) - width / 2) / softness, -30, 30)
        factor *= 1 - depth / (1 + np.exp(distance))
    return factor


def _render(canvas, light, camera):
    """The canvas in linear sensor RGB (H, W, 3), no noise, any scale."""
    rng = canvas.rng
    table = [MATERIALS[name] for name in canvas.materials]
    reflectances = []
    for draw_first, draw_second, *_ in table:
        first = draw_first(rng)
        reflectances.append((first, draw_second(rng) if draw_second else 0.8 * first))
    colours = sensor_response(np.clip(reflectances, 0, 1.2), light, camera)
    texture, contrast, gloss = (np.array(column) for column in list(zip(*table))[2:])

    rows, columns = np.indices(canvas.size)
    grain = canvas.textures[texture[canvas.labels], rows, columns]
    share = (1 / (1 + np.exp(-1.5 * grain)))[..., None]
    image = (1 - share) * colours[canvas.labels, 0] + share * colours[canvas.labels, 1]

    albedo = np.exp(contrast[canvas.labels] * (0.6 * grain + 0.4 * canvas.textures[ROUGH]))
    is_sky = np.isin(canvas.materials, ["sky", "clouds", "overcast"])[canvas.labels]
    shadows = np.where(is_sky, 1.0, _cast_shadows(canvas))
    lit = canvas.shading * shadows * np.exp(0.15 * _noise(rng, canvas.size, 2.0))
    image *= (np.minimum(albedo, 2.5) * lit)[..., None]

    glints = np.clip(canvas.textures[LEAFY] - 2.0, 0, None) * gloss[canvas.labels]
    shine = (canvas.shine + 0.5 * glints) * lit
    return image + shine[..., None] * sensor_response(np.ones(31), light, camera)


def _blur(image):
    """The lens: a [1 2 1] / 4 blur along both axes."""
    image = np.pad(image, [(1, 1), (1, 1), (0, 0)], mode="edge")
    image = (image[:-2] + 2 * image[1:-1] + image[2:]) / 4
    return (image[:, :-2] + 2 * image[:, 1:-1] + image[:, 2:]) / 4


def _expose(image, rng):
    """Exposure, noise, clipping and 12 bits: (H, W, 3) in [0, 1], float32."""
    bright = np.quantile(image.max(axis=-1), rng.uniform(0.93, 0.998))
    image = _blur(image) * rng.uniform(0.35, 1.0) / bright
    electrons = rng.uniform(2000, 20000)  # at the white level
    read_noise = rng.uniform(0.0005, 0.003)
    deviation = np.sqrt(image / electrons + read_noise**2)
    image = image + deviation * rng.standard_normal(image.shape)
    return (np.round(np.clip(image, 0, 1) * 4095) / 4095).astype(np.float32)


def _scene(seed, index, size):
    """(image, illuminant, camera's name) of one scene."""
    rng = np.random.default_rng([seed, index])
    outdoors = rng.random() < 0.5
    light = _draw_light(rng, outdoors)
    camera = sorted(CAMERAS)[rng.integers(len(CAMERAS))]

    canvas = _Canvas(rng, size)
    draw = (OUTDOORS if outdoors else INDOORS)[rng.integers(3)]
    draw(canvas)
    image = _expose(_render(canvas, light, CAMERAS[camera]), rng)

    white = sensor_response(np.ones(31), light, CAMERAS[camera])
    return image, white / np.linalg.norm(white), camera


def synthetic_scenes(count, size=(128, 192), seed=0):
    """Renders scenes with known lights.

    Every scene is a function of `seed` and its index alone, so sets of different seeds
    share no scene, and the first scenes of a longer set are those of a shorter one.

    Args:
        count: number of scenes.
        size: height and width in pixels.
        seed: non-negative integer.

    Returns:
        `Scenes` named "synthetic": float32 images (H, W, 3) in [0, 1], the response to a
        perfect white as illuminant. The last quarter is fold 1, the rest fold 0.
    """
    scenes = [_scene(seed, index, tuple(size)) for index in range(count)]
    images, illuminants, cameras = zip(*scenes)
    return Scenes(
        name="synthetic",
        images=images,
        illuminants=np.array(illuminants, np.float32),
        folds=(np.arange(count) >= count - count // 4).astype(int),
        cameras=np.array(cameras),
        sets=np.full(count, "synthetic"),
        names=[f"synthetic-{seed}-{index:04d}" for index in range(count)],
    )
