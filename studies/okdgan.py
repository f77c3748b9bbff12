"""Studies of OKD: the weight rho, and whether generated crops help a classifier.

    python -m studies.okdgan rho --data DIR --reduced
    python -m studies.okdgan augmentation --data DIR --reduced
    python -m studies.okdgan purpose --data DIR --reduced --few 120

The settings are those of train_okdgan.py, and more: see `StudyConfig`. With `--resume` an
interrupted study goes on.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.okdgan.config import StudyConfig

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(StudyConfig)

from dataclasses import replace

from keras_gans.training.device import alone, set_up

import pandas as pd

from keras_gans.files import remembered, write_json
from keras_gans.okdgan import augmentation_study, datasets, purpose_study
from keras_gans.okdgan.classifier import extractor_for, named_extractor
from keras_gans.okdgan.evaluate import Data
from keras_gans.okdgan.report import write_sweep
from keras_gans.training.run_folder import RunFolder
from train_okdgan import prepare, run, train_single, train_students


def sweep_rho(config, folder, data):
    """Students with each of RHOS, measured on crops that none of them was trained on."""
    extractor, accuracy = extractor_for(config, folder, data.crops)
    results = {}
    for rho in config.rhos:
        path, changed = folder / f"rho-{rho}", replace(config, rho=rho, single=False)

        def train_and_measure(path=path, changed=changed):
            print(f"\n{path.name}")
            path.mkdir(exist_ok=True)
            figures = run(changed, path, data, extractor)[1]
            return figures | {"network_held_out_accuracy": accuracy}

        results[rho] = remembered(path / "result.json", train_and_measure)
    write_sweep(folder, results)
    return results


def compare_classifiers(config, folder, data):
    """Classifiers on few real crops, with and without those of GANs that learned from them."""
    few = augmentation_study.few_crops(data.crops, data.held_out, config.few, config.seed)
    learned, gans = Data(few, few.labels), {}
    if config.single:
        gans["those of the single GAN"] = [train_single(config, folder, learned)]
    if config.students:
        gans["those of the students"] = train_students(config, folder, learned)
    frame = augmentation_study.compare(config, folder, few, gans, data.crops, data.held_out)
    schedule = config.schedule()
    augmentation_study.write(
        folder, frame,
        f"classifiers of {few.name}: {len(few)} few real crops, {len(data.crops)} all, "
        f"{len(data.held_out)} of other photos to test on; GANs of {schedule.steps} steps",
    )  # fmt: skip
    return {
        "runs": frame.to_dict("records"),
        "few": len(few),
        "all": len(data.crops),
        "test": len(data.held_out),
        "steps": schedule.steps,
        "batch_size": schedule.batch_size,
        "generated": augmentation_study.GENERATED,
        "seed": config.seed,
        "set": few.name,
    }


def compare_purposes(config, folder, data):
    """Classifiers of few real crops with ordinary augmentation, with and without GANs'."""
    rows = []
    for seed in config.seeds:
        path, changed = folder / f"seed-{seed}", replace(config, seed=seed)

        def compare(path=path, changed=changed):
            few = augmentation_study.few_crops(
                data.crops, data.held_out, changed.few, changed.seed
            )
            gans = {}
            for name, policy in purpose_study.POLICIES.items():
                own = path / name.replace(" ", "-")
                own.mkdir(parents=True, exist_ok=True)
                gans[name] = train_single(
                    replace(changed, augment=policy), own, Data(few, few.labels)
                )
            return purpose_study.compare(changed, path, few, gans, data.crops, data.held_out)

        rows += remembered(path / "accuracies.json", compare)
    schedule, count = config.schedule(), len(data.crops.classes)
    purpose_study.write(
        folder, pd.DataFrame(rows),
        f"classifiers of {data.crops.name}: {config.few // count} real crops of each class, "
        f"{len(data.held_out)} of other photos to test on; GANs of {schedule.steps} steps",
    )  # fmt: skip
    return {
        "runs": rows,
        "few": config.few // count * count,
        "all": len(data.crops),
        "test": len(data.held_out),
        "steps": schedule.steps,
        "batch_size": schedule.batch_size,
        "generated": purpose_study.GENERATED,
        "set": data.crops.name,
    }


STUDIES = {
    "rho": sweep_rho,
    "augmentation": compare_classifiers,
    "purpose": compare_purposes,
}


@report_input_errors
def main(config):
    alone(config)
    named_extractor(config)  # readable? now, not after hours of training
    crops = None
    if not config.resume:
        crops = datasets.load(config)
        if config.study != "rho":  # enough of them?
            augmentation_study.few_crops(
                *crops.hold_out(config.hold_out, config.seed), config.few, config.seed
            )
    with RunFolder("study_okdgan", config) as folder:
        print(f"run: {folder.path}")
        data = prepare(config, folder.path, crops)
        set_up(config.deterministic)
        write_json(
            folder.path / "result.json", STUDIES[config.study](config, folder.path, data)
        )
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
