"""Writes storm-labelled.drn and storm-plain.drn, samples by Storm itself.

Run with stormpy 2.0.0 (PyPI), in this folder: python write_storm.py
"""

import stormpy

PRISM = """mdp
module walk
  x : [0..2] init 0;
  wet : bool init false;
  [east] x<2 -> 0.75 : (x'=x+1) + 0.25 : (x'=x);
  [rain] !wet -> (wet'=true);
  [rain] !wet & x=1 -> 1/3 : (wet'=true) + 2/3 : true;
  [stay] x=2 & wet -> true;
endmodule
label "goal" = x=2;
label "soaked" = wet;
rewards "steps"
  [east] true : 1;
  wet : 0.5;
endrewards
"""


def main():
    with open("storm.nm", "w") as file:
        file.write(PRISM)
    program = stormpy.parse_prism_program("storm.nm")
    options = stormpy.BuilderOptions()
    options.set_build_choice_labels()
    options.set_build_state_valuations()
    options.set_build_all_reward_models()
    options.set_build_all_labels()
    stormpy.io.export_to_drn(stormpy.build_model(program, options=options), "storm-labelled.drn")
    stormpy.io.export_to_drn(stormpy.build_model(program), "storm-plain.drn")


main()
